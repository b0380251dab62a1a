/** Names of the bridge's channels, known to the preload script and the main process. */
export const CHANNELS = { call: 'trapeze:call', event: 'trapeze:event', chooseFiles: 'trapeze:choose-files' } as const;

// Chooses the transport: the preload bridge in Electron, a WebSocket in a browser.
import { createClient } from '../../core/api/client.ts';
import { bridgeTransport, findBridge } from './bridgeTransport.ts';
import type { Connection } from './client.ts';
import { uploadFile } from './upload.ts';
import { webSocketTransport } from './webSocketTransport.ts';

export function connect(): Connection {
  const bridge = findBridge();
  if (bridge !== null) {
    return {
      ...createClient(bridgeTransport(bridge)),
      isDesktop: true,
      files: { kind: 'in-place', pathOf: (file) => bridge.pathOf(file), choose: () => bridge.chooseFiles() },
      onConnected: (listener) => {
        listener(true);
        return { dispose: () => undefined };
      },
    };
  }
  const transport = webSocketTransport(`ws://${location.host}/api`);
  return {
    ...createClient(transport),
    isDesktop: false,
    files: { kind: 'upload', upload: uploadFile },
    onConnected: transport.onConnected,
  };
}

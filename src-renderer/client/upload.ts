// Sends a file to the server as a stream. XMLHttpRequest, because fetch tells nothing of an upload's progress.
import { Failure, failureSchema } from '../../core/api/failure.ts';

export function uploadFile(
  file: File,
  { signal, progress }: { signal: AbortSignal; progress(sentBytes: number): void },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const fail = (reason: string): void =>
      reject(new Failure('bad-input', `${file.name} was not uploaded.`, { reason }));
    request.open('POST', `/upload?name=${encodeURIComponent(file.name)}`);
    request.upload.onprogress = ({ loaded }) => progress(Math.min(loaded, file.size));
    request.onload = () => {
      try {
        const answer = JSON.parse(request.responseText) as { path: string };
        if (request.status === 200) resolve(answer.path);
        else reject(Failure.from(failureSchema.parse(answer)));
      } catch {
        fail(`The server answered ${request.status}.`);
      }
    };
    request.onerror = () => fail('The server refused the file, or it cannot be read (a folder, perhaps).');
    request.onabort = () => fail('It was cancelled.');
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

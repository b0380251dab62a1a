// Files that the desktop hands over: "open with", the dock, the command line, a second start.
import fs from 'node:fs';
import path from 'node:path';

/** The files among a command line's arguments; options and the program itself are not. */
export function filesOfArguments(args: readonly string[], folder: string): string[] {
  return args
    .slice(1)
    .filter((argument) => !argument.startsWith('-') && argument !== '.')
    .map((argument) => path.resolve(folder, argument))
    .filter((file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}

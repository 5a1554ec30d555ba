// A character: its file, its controller, and itself alone or as a crowd.

import { type CharacterFile, FileError, read } from "./file.ts";
import { Model, type Runtime } from "./runtime.ts";

export class Character {
  private constructor(readonly file: CharacterFile, readonly model: Model) {}

  /** Load a character's file from a URL. Throws FileError with one sentence about what is wrong. */
  static async load(url: string | URL, runtime: Runtime): Promise<Character> {
    const name = String(url).split("/").pop() ?? "";
    const answer = await fetch(url).catch(() => undefined);
    if (!answer?.ok) throw new FileError(`${name} cannot be loaded (${answer?.status ?? "no answer"}).`);
    const file = read(await answer.arrayBuffer(), name, runtime);
    return new Character(file, new Model(runtime, ...file.weights));
  }

  get facts() {
    return this.file.facts;
  }
}

// The controller as a module, without any drawing.

export { Character } from "./character.ts";
export { Clock } from "./clock.ts";
export {
  type Body, boundInverses, type CharacterFile, type Facts, FileError, type Level,
} from "./file.ts";
export { Joints, Motion } from "./pose.ts";
export { Crowd, Model, Runtime } from "./runtime.ts";
export { type Controls, Steering } from "./steering.ts";

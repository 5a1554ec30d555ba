// What tests and measurements ask the page for: window.motionVae.

import { Joints } from "./pose.ts";
import { Player } from "./player.ts";
import { Crowd, type Runtime } from "./runtime.ts";

/** A recorded moment of the stick: right, forward, pace (0 to 2), turn, lock (0 or 1). */
type Moment = [number, number, number, number, number];

/** Play a recorded stick from the first reset pose, with a camera along +Z. Returns, for each step,
 * roots (3), local quaternions (J, 4) and joints in the world (J, 3). */
export function replay(player: Player, runtime: Runtime, moments: Moment[]) {
  const own = Player.of(player.character, runtime);
  own.crowd.reset(0, 0, 0, 0, 0);
  own.steering.reset(0);
  own.motion.jump();
  const frames = { roots: [] as number[][], rotations: [] as number[][], joints: [] as number[][] };
  const drawn: number[][] = [];
  const placed = new Joints(player.character.model);
  for (const [right, forward, pace, turn, lock] of moments) {
    own.step({ right, forward, pace, turn, lock: lock > 0 }, 0);
    frames.roots.push([...own.crowd.roots]);
    frames.rotations.push([...own.crowd.rotations]);
    frames.joints.push([...own.crowd.positions]);
    own.motion.between(1, 0, placed);
    drawn.push([...placed.positions]);
  }
  return { ...frames, drawn };
}

/** Milliseconds of a step of so many characters that walk: the median, and that which a tenth of
 * the steps stays below, as on a machine that does nothing else. */
export function time(player: Player, characters: number, steps: number): [number, number] {
  const crowd = new Crowd(player.character.model, characters);
  const wish = crowd.wish;
  for (let i = 0; i < characters; i++) {
    crowd.reset(i, i % player.character.model.resetPoses, 0, 0, 0);
    wish[3 * i + 1] = player.character.facts.paces[1];
  }
  const taken: number[] = [];
  const batch = characters > 1 ? 1 : 20; // clocks of browsers are coarse
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    for (let k = 0; k < batch; k++) crowd.step();
    taken.push((performance.now() - start) / batch);
  }
  taken.sort((a, b) => a - b);
  return [taken[steps >> 1], taken[Math.floor(steps / 10)]];
}

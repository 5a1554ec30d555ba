// What tests and measurements ask the page for: window.motionVae.

import type { Page } from "./page.ts";
import { Play } from "./play.ts";
import { Player } from "./player.ts";
import { Joints } from "./pose.ts";
import { Crowd, type Runtime } from "./runtime.ts";
import { Steering } from "./steering.ts";
import type { AlongPath } from "./tasks/walking.ts";

/** A recorded moment of the stick: right, forward, pace (0 to 2), turn, lock (0 or 1). */
type Moment = [number, number, number, number, number];

/** What the page is doing, as plain values. */
export function observe(page: Page) {
  const { play } = page;
  return {
    get position() { return [...play.player.cast.drawn.roots.slice(3 * play.player.who, 3 * play.player.who + 3)]; },
    /** Metres: every joint in the world, as it is drawn in the newest step. */
    get joints() {
      const placed = new Joints(play.player.character.model);
      play.player.cast.motion.between(1, play.player.who, placed);
      return [...placed.positions];
    },
    get yaw() { return play.player.place[2]; },
    get steps() { return play.steps; },
    get frames() { return page.frames; },
    get firstPicture() { return page.firstPicture; },
    get name() { return play.player.character.facts.name; },
    get characters() { return play.players.length; },
    get flag() { return play.task.stage.flag; },
    get line() { return Array.from(play.task.stage.line ?? []); },
    get locked() { return play.steering.locked; },
    get task() { return play.name; },
    get status() { return play.task.status; },
    get held() { return play.held; },
    get degrees() { return play.degrees; },
    get crowd() { return [...play.player.crowd.places]; },
    get camera() { return [page.camera.mode, ...page.camera.lens.position.toArray()]; },
    get off() { return (play.tasks.path as AlongPath).off; },
    replay: (moments: Moment[], held = false, degrees = 0) =>
      replay(play.player, page.runtime, moments, held, degrees),
    time: (characters: number, steps: number) => time(play.player, characters, steps),
    timeWhole: (steps: number) => timeWhole(play, steps),
  };
}

/** Play a recorded stick from the first reset pose, with a camera along +Z. Returns, for each step,
 * roots (3), local quaternions (J, 4) and joints in the world (J, 3) of the runtime, and the joints
 * as they are drawn. */
export function replay(player: Player, runtime: Runtime, moments: Moment[], held: boolean, degrees: number) {
  const own = new Player(player.character);
  const play = new Play(own, new Steering(runtime, player.character.facts.paces));
  play.held = held;
  play.degrees = degrees;
  play.slope.south = Math.tan((degrees * Math.PI) / 180);
  own.crowd.reset(0, 0, 0, 0, 0);
  own.cast.drawn.cut(0);
  play.steering.reset(0);
  const frames = { roots: [] as number[][], rotations: [] as number[][], joints: [] as number[][] };
  const drawn: number[][] = [];
  const placed = new Joints(player.character.model);
  for (const [right, forward, pace, turn, lock] of moments) {
    play.step({ right, forward, pace, turn, lock: lock > 0 }, 0);
    frames.roots.push([...own.crowd.roots]);
    frames.rotations.push([...own.crowd.rotations]);
    frames.joints.push([...own.crowd.positions]);
    own.cast.motion.between(1, 0, placed);
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
  const batch = characters > 1 ? 1 : 20; // clocks of browsers are coarse
  return timed(steps, batch, () => crowd.step());
}

/** The same of all that a step of the page does: the task, and what is drawn. */
export function timeWhole(play: Play, steps: number): [number, number] {
  const still = { right: 0, forward: 1, pace: 1, turn: 0, lock: false };
  return timed(steps, 1, () => play.step(still, 0));
}

function timed(steps: number, batch: number, step: () => void): [number, number] {
  const taken: number[] = [];
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    for (let k = 0; k < batch; k++) step();
    taken.push((performance.now() - start) / batch);
  }
  taken.sort((a, b) => a - b);
  return [taken[steps >> 1], taken[Math.floor(steps / 10)]];
}

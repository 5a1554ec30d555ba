// Who plays what: the characters, the tasks, and what the user has chosen for what is drawn.

import type { Slope } from "./drawn.ts";
import { Player } from "./player.ts";
import type { Controls, Steering } from "./steering.ts";
import { Crowded } from "./tasks/crowd.ts";
import { Joystick } from "./tasks/joystick.ts";
import { RandomWalk } from "./tasks/random.ts";
import type { Task } from "./tasks/task.ts";
import { AlongPath, Target } from "./tasks/walking.ts";

/** Tasks by their key in play.py; those without are not in the page. */
export const KEYS = { 1: "joystick", 2: "target", 4: "path", 6: "crowd", 7: "random" } as const;
export type TaskName = (typeof KEYS)[keyof typeof KEYS];
export const STEEPEST = 15; // degrees

const EASING = 0.12; // of the way to the chosen slope, each step

export class Play {
  readonly players: Player[] = [];
  readonly tasks: Record<TaskName, Task>;
  /** Whether feet that stand are held. */
  held = true;
  /** Degrees by which the ground rises along +Z. */
  degrees = 0;
  /** The slope now, on its way there. */
  readonly slope: Slope = { east: 0, south: 0 };
  steps = 0;
  player: Player;
  task: Task;

  constructor(first: Player, readonly steering: Steering) {
    this.player = first;
    this.players.push(first);
    this.tasks = {
      joystick: new Joystick(this),
      target: new Target(this),
      path: new AlongPath(this),
      crowd: new Crowded(this),
      random: new RandomWalk(this),
    };
    this.task = this.tasks.joystick;
    this.reset();
  }

  get name(): TaskName {
    const names = Object.keys(this.tasks) as TaskName[];
    return names.find((name) => this.tasks[name] === this.task)!;
  }

  /** Take up a task, or the next variant of the one that is being played. */
  choose(name: TaskName): void {
    if (this.task === this.tasks[name]) this.task.again();
    this.task = this.tasks[name];
    this.begin();
  }

  private begin(): void {
    const { player, task } = this;
    player.become(task.characters);
    task.enter();
    if (task.characters > 1) player.show(this.held, this.slope);
    player.cast.drawn.switch(0);
  }

  /** Begin anew at the origin. */
  reset(): void {
    this.player.reset(this.held, this.slope);
    this.begin();
  }

  /** The next character takes over. */
  next(): void {
    const { players, player } = this;
    if (players.length < 2) return;
    const next = players[(players.indexOf(player) + 1) % players.length];
    next.takeOver(player, this.held, this.slope);
    this.player = next;
    this.steering.paces = next.character.facts.paces;
    if (this.task.characters > 1) {
      next.become(this.task.characters);
      this.task.enter();
      next.show(this.held, this.slope);
    } else this.task.handOver();
  }

  step(controls: Controls, azimuth: number): void {
    const { player, slope } = this;
    const wanted = Math.tan((this.degrees * Math.PI) / 180);
    slope.south += EASING * (wanted - slope.south);
    if (Math.abs(slope.south - wanted) < 1e-4) slope.south = wanted;
    const [x, z] = player.place;
    this.task.step(controls, azimuth);
    player.take(x, z, this.held, slope);
    this.steps++;
  }
}

// Many walk to points of their own past each other, as controller/games/crowd.py.

import { approach, brakingSpeed, facingWeight } from "./arrival.ts";
import { Avoidance } from "./avoidance.ts";
import { Task } from "./task.ts";

const COUNT = 50;
const SPACE = 6; // m² of ground for each
const SPEED = 1.3; // m/s while the way is free
const REACHED = 0.5; // m
const STAY = 1; // s at a point of its own choice
const STAY_SENT = 6; // s where the user sent it
const TOUCH = 0.6; // m: a click nearer than this to a character means that character
const PLACE = 3; // m² for each that is sent to one point
const GOLDEN = Math.PI * (3 - Math.sqrt(5)); // rad: spreads points evenly over a disc (Vogel 1979)

export class Crowded extends Task {
  readonly title = "crowd";
  readonly characters = COUNT;
  private readonly targets = new Float64Array(2 * COUNT);
  private readonly waited = new Float64Array(COUNT);
  private readonly sent = new Uint8Array(COUNT);
  private readonly speeds = new Float32Array(2 * COUNT);
  private readonly last = new Float32Array(3 * COUNT);
  private readonly avoidance = new Avoidance();
  private middle: [number, number] = [0, 0];
  private readonly way = [0, 0];

  /** The one that played stays where it is; the others stand each in a square of its own. */
  enter(): void {
    const { player } = this;
    const { crowd } = player;
    const { resetPoses } = player.character.model;
    const [x, z] = crowd.places;
    this.middle = [x, z];
    const cells = Math.ceil(Math.sqrt(COUNT));
    const side = Math.sqrt(COUNT * SPACE);
    const squares = [...Array(cells * cells).keys()].sort(() => Math.random() - 0.5);
    const corner = (square: number) => [Math.floor(square / cells), square % cells];
    const near = (square: number) =>
      corner(square).reduce((sum, each) => sum + ((each + 0.5) / cells - 0.5) ** 2, 0);
    squares.splice(squares.reduce((best, each, i) => (near(each) < near(squares[best]) ? i : best), 0), 1);
    for (let i = 1; i < COUNT; i++) {
      const [right, ahead] = corner(squares[i]).map((each) =>
        ((each + 0.3 + 0.4 * Math.random()) / cells - 0.5) * side);
      const pose = Math.floor(Math.random() * resetPoses);
      crowd.reset(i, pose, x + right, z + ahead, 2 * Math.PI * Math.random());
      player.cast.drawn.cut(i);
    }
    this.last.set(crowd.places);
    this.speeds.fill(0);
    this.waited.fill(0);
    this.sent.fill(0);
    for (let i = 0; i < COUNT; i++) this.draw(i);
    this.stage.targets = this.targets;
  }

  /** A point at random on the crowd's ground. */
  private draw(who: number): void {
    const side = Math.sqrt(COUNT * SPACE);
    for (let k = 0; k < 2; k++) this.targets[2 * who + k] = this.middle[k] + (Math.random() - 0.5) * side;
  }

  next(): void {
    this.player.who = (this.player.who + 1) % COUNT;
  }

  point(x: number, z: number, all: boolean): void {
    const { places } = this.player.crowd;
    const away = (i: number) => Math.hypot(places[3 * i] - x, places[3 * i + 1] - z);
    const everybody = [...Array(COUNT).keys()];
    const touched = everybody.reduce((best, i) => (away(i) < away(best) ? i : best));
    if (away(touched) < TOUCH) this.player.who = touched;
    else this.send(all ? everybody : [this.player.who], x, z);
  }

  /** Send these to a point, side by side around it. The nearest go to the middle. */
  private send(rows: number[], x: number, z: number): void {
    const { places } = this.player.crowd;
    const spots = rows.map((_, i) => {
      const radius = Math.sqrt((PLACE * i) / Math.PI);
      return [x + radius * Math.sin(GOLDEN * i), z + radius * Math.cos(GOLDEN * i)];
    });
    const free = new Set(rows);
    for (const [spotX, spotZ] of spots) {
      let best = -1;
      let least = Infinity;
      for (const i of free) {
        const away = Math.hypot(places[3 * i] - spotX, places[3 * i + 1] - spotZ);
        if (away < least) [least, best] = [away, i];
      }
      free.delete(best);
      this.targets.set([spotX, spotZ], 2 * best);
      this.sent[best] = 1;
      this.waited[best] = 0;
    }
  }

  step(): void {
    const { crowd, who } = this.player;
    const { places, wish } = crowd;
    const { targets, speeds, way } = this;
    for (let i = 0; i < COUNT; i++) {
      const x = targets[2 * i] - places[3 * i];
      const z = targets[2 * i + 1] - places[3 * i + 1];
      const distance = Math.hypot(x, z);
      const share = Math.min(brakingSpeed(distance), SPEED) / Math.max(distance, 1e-4);
      this.avoidance.find(i, places, speeds, share * x, share * z, way);
      const speed = Math.hypot(way[0], way[1]);
      const brisk = Math.min(Math.max((speed - 0.3) / 0.3, 0), 1);
      approach(wish, places, i, way[0], way[1], speed, facingWeight(distance) * brisk);
      this.waited[i] = distance < REACHED ? this.waited[i] + this.seconds : 0;
      if (this.waited[i] > (this.sent[i] ? STAY_SENT : STAY)) {
        this.sent[i] = 0;
        this.draw(i);
      }
    }
    this.last.set(places);
    crowd.step();
    for (let i = 0; i < COUNT; i++)
      for (let k = 0; k < 2; k++) speeds[2 * i + k] = (places[3 * i + k] - this.last[3 * i + k]) / this.seconds;
    this.stage.flag = [targets[2 * who], targets[2 * who + 1]];
    this.status = `${COUNT} characters, following number ${who + 1}`;
  }
}

// Walking to a flag, and along a line that the user draws.

import { approach, brakingSpeed, facingWeight } from "./arrival.ts";
import { lengthOf, Path, placed, resampled, SHAPES, SHORTEST, smoothed } from "./line.ts";
import { Task } from "./task.ts";

const AHEAD = 3; // m ahead: where the flag stands at first
const FLAG_SPEED = 1.4; // m/s
const PATH_SPEED = 1.3;
const AIM_AHEAD = 0.3; // m ahead on the path: the point to walk to
const GAP = 0.3; // m: if a line begins farther away, the character first walks to its start
const REACH = 50; // m from the character: points farther away lie on the horizon

export class Target extends Task {
  readonly title = "target";

  enter(): void {
    const [x, z, yaw] = this.player.place;
    this.point(x + AHEAD * Math.sin(yaw), z + AHEAD * Math.cos(yaw));
  }

  point(x: number, z: number): void {
    this.stage.flag = [x, z];
  }

  step(): void {
    const { crowd, place } = this.player;
    const [x, z] = this.stage.flag!;
    const distance = Math.hypot(x - place[0], z - place[1]);
    const speed = Math.min(brakingSpeed(distance), FLAG_SPEED);
    approach(crowd.wish, crowd.places, 0, x - place[0], z - place[1], speed, facingWeight(distance));
    this.status = `${distance.toFixed(1)} m to go`;
    crowd.step();
  }
}

export class AlongPath extends Task {
  readonly title = "path";
  readonly draws = true;
  private path!: Path;
  private shape = 0;

  enter(): void {
    const names = Object.keys(SHAPES);
    const name = names[this.shape % names.length];
    this.follow(resampled(placed(SHAPES[name](), this.player.place)));
    this.status = name;
  }

  again(): void {
    this.shape++;
  }

  trace(points: number[], done: boolean): void {
    const [x, z] = this.player.place;
    const near = points.filter((_, i) => {
      const at = i - (i % 2);
      return Math.hypot(points[at] - x, points[at + 1] - z) < REACH;
    });
    const long = lengthOf(near) >= SHORTEST;
    if (done && !points.length) this.stage.line = this.path.points; // given up
    else if (!done) {
      this.status = "drawing";
      if (long) this.stage.line = resampled(near);
    } else if (long) {
      let line: ArrayLike<number> = smoothed(near);
      if (Math.hypot(line[0] - x, line[1] - z) > GAP)
        line = resampled([x, z, ...Array.from(line)]);
      this.follow(line as Float64Array);
      this.status = `drawn, ${this.path.length.toFixed(1)} m`;
    } else {
      this.status = `too short: draw ${SHORTEST} m or more`;
      this.stage.line = this.path.points;
    }
  }

  private follow(points: Float64Array): void {
    this.path = new Path(points);
    this.stage.line = points;
  }

  step(): void {
    const { crowd, place } = this.player;
    this.path.follow(place[0], place[1]);
    const left = this.path.length - this.path.walked;
    const [x, z] = this.path.at(this.path.walked + AIM_AHEAD);
    const speed = Math.min(brakingSpeed(left), PATH_SPEED);
    approach(crowd.wish, crowd.places, 0, x - place[0], z - place[1], speed, facingWeight(left));
    crowd.step();
  }

  /** m: how far the character is from its path. */
  get off(): number {
    const [x, z] = this.path.at(this.path.walked);
    return Math.hypot(x - this.player.place[0], z - this.player.place[1]);
  }
}

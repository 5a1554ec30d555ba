// The skeleton of a character, drawn over everything else.

import { BufferAttribute, BufferGeometry, DynamicDrawUsage, LineSegments, Points, type Scene } from "three";

import type { Character } from "./character.ts";
import type { Joints } from "./pose.ts";
import type * as shaders from "./shaders.ts";

/** A line for each bone, a dot for each joint. */
export class Lines {
  private readonly ends: [number, number][] = []; // parent and joint; a joint and -1 for a tip
  private readonly at: BufferAttribute;
  private readonly shown: (LineSegments | Points)[];
  private readonly tips: readonly (readonly number[])[];

  constructor(character: Character, material: ReturnType<typeof shaders.line>, private readonly scene: Scene) {
    const { parents, joints } = character.model;
    this.tips = character.facts.tips;
    for (let j = 0; j < joints; j++) {
      if (parents[j] >= 0) this.ends.push([parents[j], j]);
      if (this.tips[j].some((value) => value !== 0)) this.ends.push([j, -1]);
    }
    this.at = new BufferAttribute(new Float32Array(6 * this.ends.length), 3);
    this.at.setUsage(DynamicDrawUsage);
    const geometry = new BufferGeometry().setAttribute("position", this.at);
    this.shown = [new LineSegments(geometry, material), new Points(geometry, material)];
    for (const each of this.shown) {
      each.frustumCulled = false;
      each.renderOrder = 9;
      scene.add(each);
    }
  }

  place(joints: Joints, visible: boolean): void {
    for (const each of this.shown) each.visible = visible;
    if (!visible) return;
    const out = this.at.array as Float32Array;
    this.ends.forEach(([start, end], i) => {
      joints.point(start, ORIGIN, out, 6 * i);
      if (end < 0) joints.point(start, this.tips[start], out, 6 * i + 3);
      else joints.point(end, ORIGIN, out, 6 * i + 3);
    });
    this.at.needsUpdate = true;
  }

  remove(): void {
    this.shown[0].geometry.dispose();
    this.scene.remove(...this.shown);
  }
}

const ORIGIN = [0, 0, 0];

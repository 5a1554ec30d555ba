// A skinned body: triangles that follow the joints.

import {
  BufferAttribute, DataTexture, FloatType, InstancedBufferGeometry, IntType, type IUniform, Mesh,
  NearestFilter, RGBAFormat, type Scene,
} from "three";

import type { Character } from "./character.ts";
import type { Body, Level } from "./file.ts";
import type { Joints } from "./pose.ts";
import * as shaders from "./shaders.ts";

export class Skin {
  private readonly body: Body;
  private readonly texture: DataTexture;
  private readonly rows: Float32Array; // 12 for each joint: a 3×4 matrix in rows
  private readonly meshes: Mesh[];

  /** Adds itself to a scene, in its finest level of detail, and a coarser one to the scene of what
   * casts shadows. Several characters, instead of one, are as coarse as can be, and without shadows. */
  constructor(
    character: Character, frame: Record<string, IUniform>, scene: Scene, shadows: Scene, characters = 1,
  ) {
    this.body = character.file.body!;
    const { joints } = character.model;
    const height = Math.ceil((3 * joints * characters) / shaders.ROW);
    this.rows = new Float32Array(4 * shaders.ROW * height);
    this.texture = new DataTexture(this.rows, shaders.ROW, height, RGBAFormat, FloatType);
    this.texture.minFilter = this.texture.magFilter = NearestFilter;
    const uniforms = { ...frame, bones: { value: this.texture }, joints: { value: joints } };
    const { levels } = this.body;
    if (characters > 1) {
      const coarsest = levels[levels.length - 1];
      this.meshes = [new Mesh(geometry(coarsest, characters), shaders.skinned(uniforms, false))];
    } else {
      const coarser = levels[Math.min(1, levels.length - 1)];
      this.meshes = [
        new Mesh(geometry(levels[0]), shaders.skinned(uniforms, true)),
        new Mesh(geometry(coarser), shaders.casting(uniforms)),
      ];
      shadows.add(this.meshes[1]);
    }
    for (const mesh of this.meshes) mesh.frustumCulled = false;
    scene.add(this.meshes[0]);
  }

  /** Move the body of the character of this number: each joint's way from the bound pose to the world, R·Bᵀ and p − R·Bᵀ·b. The
   * vertices are in 32767ths of the body's reach, so the rotation is scaled by that. */
  place(joints: Joints, who = 0): void {
    const { bind, reach } = this.body;
    const { rotations, positions } = joints;
    const first = 12 * who * joints.model.joints;
    for (let j = 0; j < joints.model.joints; j++) {
      const b = 12 * j;
      for (let r = 0; r < 3; r++) {
        const at = 9 * j + 3 * r;
        let rest = positions[3 * j + r];
        for (let c = 0; c < 3; c++) {
          const value = rotations[at] * bind[b + 3 * c] + rotations[at + 1] * bind[b + 3 * c + 1]
            + rotations[at + 2] * bind[b + 3 * c + 2];
          rest -= value * bind[b + 9 + c];
          this.rows[first + b + 4 * r + c] = value * reach;
        }
        this.rows[first + b + 4 * r + 3] = rest;
      }
    }
    this.texture.needsUpdate = true;
  }

  show(visible: boolean): void {
    for (const mesh of this.meshes) mesh.visible = visible;
  }

  remove(): void {
    for (const mesh of this.meshes) {
      mesh.removeFromParent();
      mesh.geometry.dispose();
    }
    this.texture.dispose();
  }
}

function geometry(level: Level, characters = 1): InstancedBufferGeometry {
  const made = new InstancedBufferGeometry();
  made.instanceCount = characters;
  const followed = new BufferAttribute(level.joints, 4);
  followed.gpuType = IntType;
  made.setAttribute("vertex", new BufferAttribute(level.positions, 3, true));
  made.setAttribute("outward", new BufferAttribute(level.normals, 3, true));
  made.setAttribute("followed", followed);
  made.setAttribute("weights", new BufferAttribute(level.weights, 4, true));
  made.setAttribute("colour", new BufferAttribute(level.colours, 4, true));
  made.setIndex(new BufferAttribute(level.triangles, 1));
  return made;
}

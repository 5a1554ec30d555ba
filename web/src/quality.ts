// How much work a picture takes, chosen for the graphics driver, as controller/viewer/gl/quality.py.

/** Parts of the names of drivers that draw on the processor. */
const SOFTWARE = ["llvmpipe", "softpipe", "swrast", "swiftshader", "software", "basic render", "warp"];

export interface Quality {
  /** Whether edges are smoothed. */
  antialias: boolean;
  /** Pixels along a side of the shadow map. */
  side: number;
  /** Samples of the shadow map to each side, for a soft edge. */
  reach: number;
  /** Samples where the ground has an edge of a shadow. */
  disc: number;
  /** The most pixels of the picture for one of the page, along a side. */
  ratio: number;
}

const LOW: Quality = { antialias: false, side: 512, reach: 1, disc: 24, ratio: 1 };
const HIGH: Quality = { antialias: true, side: 1024, reach: 2, disc: 48, ratio: 2 };

let chosen: Quality | null = null;

/** The quality for this driver. Throws an Error if there is no WebGL 2. */
export function quality(): Quality {
  if (chosen) return chosen;
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) throw new Error("This browser offers no WebGL 2, with which the page draws.");
  const named = gl.getExtension("WEBGL_debug_renderer_info");
  const driver = String(gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER)).toLowerCase();
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  chosen = SOFTWARE.some((name) => driver.includes(name)) ? LOW : HIGH;
  return chosen;
}

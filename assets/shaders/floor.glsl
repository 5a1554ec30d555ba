// What the floor looks like, flat or not.

const vec3 FLOOR = vec3(0.105, 0.128, 0.155);
const vec3 LINE = vec3(0.33, 0.37, 0.41);

// The part of a pixel that is covered by grid lines of this width, a metre apart. A box filter over
// the pixel's footprint, integrated exactly, so that the grid neither flickers nor crawls.
// Source: Quilez, "Filterable procedurals".
float grid(vec2 at, vec2 footprint, float width) {
    vec2 size = max(footprint, vec2(1e-4));
    vec2 low = at + 0.5 * width - 0.5 * size, high = low + size;
    vec2 covered = (floor(high) * width + min(fract(high), width)
        - floor(low) * width - min(fract(low), width)) / size;
    return 1.0 - (1.0 - covered.x) * (1.0 - covered.y);
}

// Lines a metre and 10 cm apart: against the fine ones one sees a foot slide.
vec3 floor_at(vec2 at, vec2 footprint) {
    float fine = grid(10.0 * at, 10.0 * footprint, 0.045);
    return mix(mix(FLOOR, LINE, fine * 0.22), LINE, grid(at, footprint, 0.014) * 0.8);
}

// The part of the sky light that a ball (xyz, radius) takes from the ground below it.
float occlusion(vec3 point, vec4 ball) {
    vec3 away = ball.xyz - point;
    float squared = dot(away, away);
    return min(ball.w * ball.w * max(away.y, 0.0) / (squared * sqrt(squared)), 1.0);
}

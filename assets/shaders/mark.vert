// A flat mark on the ground: (x, z, yaw, extent) and (red, green, blue, width).
// Extent is the length of an arrow or a shadow, or the radius of a ring. Width is half an arrow's
// thickness; a negative width is the kind of another mark: -1 a ring with a wedge, -2 a ring, -3 a
// shadow, -4 minus a share from 0 to 1 a dial that shows this share, -6 minus its strength from 0 to
// 1 the mark of a foot, -8 minus its strength a dash.

layout(location = 0) in vec4 mark;
layout(location = 1) in vec4 paint;
out vec2 at;
out vec2 ground;
#if TERRAIN
out float level;
#endif
flat out vec3 colour;
flat out float extent;
flat out float width;

void main() {
#if TERRAIN  // PARTS by PARTS rectangles of two triangles each
    int part = gl_VertexID / 6, tip = gl_VertexID % 6;
    ivec2 own = ivec2(tip == 1 || tip == 3 || tip == 4, tip == 2 || tip == 4 || tip == 5);
    vec2 corner = vec2(ivec2(part % PARTS, part / PARTS) + own) / float(PARTS);
#else
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
#endif
    if (paint.w >= 0.0) at = vec2(mix(-0.15, 0.15, corner.x), mix(-0.05, mark.w + 0.05, corner.y));
    else if (paint.w == SOFT)
        at = vec2(mix(-0.5, 0.5, corner.x), mix(-0.5, mark.w + 0.3, corner.y));
    else if (paint.w <= PRINT)
        at = vec2(mix(-0.05, 0.05, corner.x), mix(-0.05, mark.w + 0.05, corner.y));
    else at = (corner * 2.0 - 1.0) * (mark.w + 0.3);
    float s = sin(mark.z), c = cos(mark.z);
    ground = mark.xy + vec2(c * at.x + s * at.y, c * at.y - s * at.x);
    colour = paint.rgb;
    extent = mark.w;
    width = paint.w;
#if TERRAIN
    level = level_at(ground);
    vec3 place = vec3(ground.x, level + 0.006, ground.y);
    place += 0.03 * normalize(eye.xyz - place);  // its parts are not as fine as the ground
    gl_Position = camera * vec4(place, 1.0);
#else
    gl_Position = camera * vec4(ground.x, 0.004, ground.y, 1.0);
#endif
}

// Ground that is not flat: its height, from a table that repeats.

uniform sampler2D heights;
uniform vec4 table;  // x and z of the first place; 1 / the metres after which it repeats, along both

vec2 in_table(vec2 at) {
    return ((at - table.xy) * table.zw + 0.5 / vec2(textureSize(heights, 0).yx)).yx;
}

float level_at(vec2 at) {
    return texture(heights, in_table(at)).r;
}

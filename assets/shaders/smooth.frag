// Smooths jagged edges: where the brightness of the four diagonal neighbours differs, the pixel is
// mixed from places along the edge. Method: Lottes, "FXAA", 2009.

uniform sampler2D picture;
in vec2 at;
out vec4 pixel;

const float LEAST = 0.045;  // difference of brightness that is an edge
const float FARTHEST = 6.0;  // pixels along the edge

// Green makes up most of brightness.
float bright(vec3 colour) {
    return colour.g;
}

float bright_at(ivec2 place) {
    return bright(texelFetch(picture, place, 0).rgb);
}

void main() {
    ivec2 place = ivec2(gl_FragCoord.xy);
    vec3 own = texelFetch(picture, place, 0).rgb;
    float here = bright(own);
    vec4 near = vec4(bright_at(place + ivec2(-1, 1)), bright_at(place + ivec2(1, 1)),
        bright_at(place + ivec2(-1, -1)), bright_at(place + ivec2(1, -1)));
    float low = min(here, min(min(near.x, near.y), min(near.z, near.w)));
    float high = max(here, max(max(near.x, near.y), max(near.z, near.w)));

    vec3 mixed = own;
    int rough = high - low > max(LEAST, 0.1 * high) ? 1 : 0;
    for (int i = 0; i < rough; i++) {  // software drivers skip empty loops, but no branches
        vec2 along = vec2(near.z + near.w - near.x - near.y, near.x + near.z - near.y - near.w);
        float level = 0.03 * (near.x + near.y + near.z + near.w);  // faint edges: a short way
        along /= min(abs(along.x), abs(along.y)) + max(level, 0.008);
        along = clamp(along, -FARTHEST, FARTHEST) / vec2(textureSize(picture, 0));
        vec3 inner = texture(picture, at - along / 6.0).rgb + texture(picture, at + along / 6.0).rgb;
        vec3 outer = texture(picture, at - along / 2.0).rgb + texture(picture, at + along / 2.0).rgb;
        mixed = 0.25 * (inner + outer);
        float result = bright(mixed);
        if (result < low || result > high) mixed = 0.5 * inner;  // another edge was reached
    }
    pixel = vec4(mixed, 1.0);
}

in vec2 at;        // metres: to the left and forward in the mark's frame
in vec2 ground;
#if TERRAIN
in float level;
#else
const float level = 0.0;
#endif
flat in vec3 colour;
flat in float extent;
flat in float width;
out vec4 pixel;

float arrow(vec2 p) {
    float head_width = 0.045 + 1.4 * width;
    p.x = abs(p.x);
    float tip = min(extent, 2.0 * head_width), neck = extent - tip;
    float shaft = max(p.x - width, max(-p.y, p.y - neck));
    float head = max(dot(p - vec2(0.0, extent), normalize(vec2(tip, head_width))), neck - p.y);
    return min(shaft, head);
}

float ring(vec2 p) {
    return abs(length(p) - extent) - 0.008;
}

float wedge(vec2 p) {
    p.x = abs(p.x);
    return max(dot(p - vec2(0.0, extent + 0.13), normalize(vec2(1.0, 0.9))), extent + 0.035 - p.y);
}

// A line from the start to the extent, with round ends.
float rounded(vec2 p, float radius) {
    p.y -= clamp(p.y, 0.0, extent);
    return length(p) - radius;
}

// A band that runs clockwise, from above, through this share of a full turn, and a thin full ring.
float dial(vec2 p, float share) {
    float turned = atan(-p.x, p.y) / 6.2831853;
    float band = abs(length(p) - extent) - 0.045;
    float run = (fract(turned) - share) * 6.2831853 * length(p);
    return min(max(band, run), ring(p));
}

void main() {
    float cover;
    if (width == SOFT) {  // a shadow, darkest under the feet
        vec2 p = vec2(at.x / 0.19, (at.y - 0.40 * extent) / (0.55 * extent));
        cover = 0.42 * exp(-1.4 * dot(p, p)) + 0.35 * exp(-24.0 * dot(at, at));
    } else if (width <= PRINT) {
        bool dash = width <= DASHED;
        float outside = rounded(at, dash ? 0.010 : 0.034);
        float edge = clamp(0.5 - outside / max(fwidth(outside), 1e-5), 0.0, 1.0);
        cover = edge * (dash ? 0.8 * (DASHED - width) : 0.9 * (PRINT - width));
    } else {
        float outside = width >= 0.0 ? arrow(at) : width == WEDGED ? min(ring(at), wedge(at))
            : width == PLAIN ? ring(at) : dial(at, CLOCK - width);
        cover = 0.92 * clamp(0.5 - outside / max(fwidth(outside), 1e-5), 0.0, 1.0);
    }
    if (cover <= 0.0) discard;
    vec3 point = vec3(ground.x, level, ground.y);
    float sunny = 0.0;
    int lit = width == SOFT ? 0 : 1;  // software drivers skip empty loops, but no branches
    for (int i = 0; i < lit; i++) sunny = sunlit(point, GROUND_BLUR);
    vec3 light = colour * (SKY_LIGHT + SUN * sun.y * sunny);
    float distance = length(point - eye.xyz);
    pixel = vec4(shown(fogged(light, distance)), cover);
}

in vec2 at;        // metres: left, forward along the mark
in vec2 ground;
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
    float circle = abs(length(p) - extent) - 0.008;
    p.x = abs(p.x);
    float wedge = max(dot(p - vec2(0.0, extent + 0.13), normalize(vec2(1.0, 0.9))), extent + 0.035 - p.y);
    return min(circle, wedge);
}

void main() {
    float outside = width < 0.0 ? ring(at) : arrow(at);
    float cover = clamp(0.5 - outside / max(fwidth(outside), 1e-5), 0.0, 1.0);
    if (cover <= 0.0) discard;
    vec3 light = colour * (SKY_LIGHT + SUN * sun.y * sunlit(vec3(ground.x, 0.0, ground.y), GROUND_BLUR));
    float distance = length(vec3(ground.x, 0.0, ground.y) - eye.xyz);
    pixel = vec4(shown(fogged(light, distance)), cover * 0.92);
}

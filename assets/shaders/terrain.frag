in vec3 point;
out vec4 pixel;

void main() {
    vec2 footprint = fwidth(point.xz);
    vec2 cell = 1.0 / (table.zw * vec2(textureSize(heights, 0).yx));
    vec2 east = vec2(cell.x, 0.0), south = vec2(0.0, cell.y);
    vec2 rise = vec2(level_at(point.xz + east) - level_at(point.xz - east),
        level_at(point.xz + south) - level_at(point.xz - south));
    vec3 normal = normalize(vec3(-rise.x / (2.0 * cell.x), 1.0, -rise.y / (2.0 * cell.y)));

    float open = 1.0, sunny = 1.0;
    vec2 at = (sunlight * vec4(point, 1.0)).xy;
    if (abs(at.x - 0.5) < 0.5 && abs(at.y - 0.5) < 0.5) {
        for (int i = 0; i < 4; i++) open *= 1.0 - 0.8 * occlusion(point, soles[i]);
        sunny = sunlit_softly(point);
    }
    vec3 albedo = mix(FLOOR, floor_at(point.xz, footprint), smoothstep(0.3, 0.7, normal.y));
    float facing = max(dot(normal, sun.xyz), 0.0);
    vec3 light = albedo * (SKY_LIGHT * open * (0.5 + 0.5 * normal.y)
        + SUN * facing * sunny * mix(open, 1.0, 0.6));
    pixel = vec4(shown(fogged(light, length(point - eye.xyz))), 1.0);
}

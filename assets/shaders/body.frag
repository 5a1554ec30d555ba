in vec3 point;
in vec3 direction;
#if TEXTURED
in vec4 paint;  // colour, and the alpha that is still drawn
in vec2 uv;
uniform sampler2D picture;
const float open = 1.0;
#elif SKINNED
flat in vec4 paint;  // colour
in float open;  // the part of the sky that is not hidden by the body itself
#else
flat in vec4 paint;  // colour, and the distance along the part up to which its cuff is dark
in float along;
const float open = 1.0;
#endif
out vec4 pixel;

const vec3 GRAPHITE = vec3(0.05, 0.055, 0.065);

void main() {
    vec3 albedo = paint.rgb;
#if TEXTURED
    vec4 texel = texture(picture, uv);
    if (texel.a < paint.a) discard;
    albedo *= texel.rgb;
#endif
#if !SKINNED
    float cuff = paint.w < 0.0 ? 0.0
        : clamp(0.5 + (paint.w - along) / max(fwidth(along), 1e-5), 0.0, 1.0);
    albedo = mix(albedo, GRAPHITE, cuff);
#endif
    vec3 normal = normalize(direction);
#if TEXTURED
    if (!gl_FrontFacing) normal = -normal;
#endif
    vec3 to_eye = eye.xyz - point;
    float distance = length(to_eye);
    to_eye /= distance;

    float facing = dot(normal, sun.xyz);
#if SHADED
    float sunny = facing > 0.0 ? facing * sunlit(point + normal * 0.012, BODY_BLUR) : 0.0;
#else
    float sunny = max(facing, 0.0);
#endif
    float sky = open * (0.55 + 0.45 * smoothstep(0.0, 0.35, point.y - sun.w));  // less near the ground
    // Three lamps: the sun is the key; a cool fill comes from the other side; a third one behind the
    // body, as seen from the camera, draws its outline.
    float fill = 0.5 + 0.5 * dot(normal, vec3(-sun.x, 0.25, -sun.z) * 1.54);
    float behind = max(dot(normal, vec3(-to_eye.x, 0.9, -to_eye.z)) * 0.75 + 0.25, 0.0);
    float rim = 1.0 - max(dot(normal, to_eye), 0.0);
    rim *= rim * rim * behind;
    float gloss = max(dot(normal, normalize(sun.xyz + to_eye)), 0.0);
    gloss *= gloss; gloss *= gloss; gloss *= gloss; gloss *= gloss; gloss *= gloss;

    vec3 light = albedo * ((0.75 * ambient(normal) + FILL * fill * fill * fill) * sky + SUN * sunny * mix(open, 1.0, 0.6));
    light += RIM * rim * sky + SUN * gloss * min(sunny, 1.0) * 0.10;
    pixel = vec4(shown(fogged(light, distance)), 1.0);
}

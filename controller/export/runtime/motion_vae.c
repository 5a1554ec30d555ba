/* See motion_vae.h. SPDX-License-Identifier: MIT
 *
 * A step reads all weights once: six million bytes for a hidden width of 256 and six experts, more
 * than a core's own caches hold. They are therefore stored in the order in which they are used:
 * tiles of TILE outputs, in each of them row after row. A crowd uses each piece of a tile for many
 * characters while it is in the innermost cache. */
#include "motion_vae.h"

#include <math.h>
#include <string.h>

#ifdef __F16C__
#include <immintrin.h>
#endif

#define TILE 64    /* outputs whose weights lie together */
#define CHUNK 64   /* rows of a tile that stay in the innermost cache for a block of characters */
#ifndef BLOCK      /* a program may define both, if another size is faster there */
#define BLOCK 16   /* characters that share a reading of the weights */
#define SUMS TILE  /* outputs whose sums stay in registers */
#endif
#define LATENT_LIMIT 2.0f
#define PI 3.14159265358979f

static const char MAGIC[8] = {'m', 'v', 'a', 'e', 'b', 'l', 'o', 'b'};
enum { FORMAT = 1, HEADER = 128, MOST = 65536 };          /* of a blob, bytes, any size */
enum { GATE = 0, EXPERTS = 3, POLICY = 6, WISH = 4 };     /* first layers; values of a wish */

static const char *const MESSAGES[] = {
    "all is well",
    "not a motion VAE blob",
    "a motion VAE blob of another version than this program reads",
    "the blob has not as many bytes as it says",
    "the blob is damaged: its checksum is wrong",
    "the sizes in the blob do not fit each other",
    "the memory does not begin at a multiple of 64 bytes",
    "the memory is too small, or the number of characters is not allowed",
    "there is no such character, reset pose or style",
    "a wish or a place is not finite",
};

const char *mvae_message(mvae_status status)
{
    return (unsigned)status <= MVAE_WISH ? MESSAGES[status] : "an unknown status";
}

static uint32_t checksum(const unsigned char *bytes, size_t count)
{
    uint32_t table[256], value = 0xffffffffu; /* CRC-32, as zlib computes it */
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = (table[i] >> 1) ^ ((table[i] & 1) ? 0xedb88320u : 0);
    }
    for (size_t i = 0; i < count; i++)
        value = table[(value ^ bytes[i]) & 255] ^ (value >> 8);
    return ~value;
}

typedef struct {
    const unsigned char *blob;
    uint64_t at, end; /* `at` may pass the end: then the blob is wrong */
} reader;

/* The next `count` elements; NULL beyond the end. Zeros follow up to a multiple of 64 bytes. */
static const void *take(reader *from, uint64_t count, uint64_t size)
{
    uint64_t start = from->at;
    from->at += (count * size + 63) / 64 * 64;
    return from->at <= from->end ? from->blob + start : NULL;
}

static int take_layer(reader *from, mvae_layer *layer, int bits)
{
    layer->rows = (layer->experts * layer->inputs + 3) / 4 * 4;
    layer->width = (layer->outputs + TILE - 1) / TILE * TILE;
    layer->bias = take(from, (uint64_t)layer->experts * layer->width, sizeof(float));
    layer->weight = take(from, (uint64_t)layer->rows * layer->width, (uint64_t)bits / 8);
    return layer->bias && layer->weight;
}

static uint32_t largest(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* Whether the layers have the inputs that a step gives them. */
static int layers_fit(const mvae_model *model)
{
    const mvae_layer *layer = model->layer;
    uint32_t controls = (uint32_t)(model->latent + model->styles);
    uint32_t body = (uint32_t)(model->pose - model->styles);
    uint32_t experts = layer[EXPERTS].experts;
    int fit = layer[GATE].inputs == controls + body && layer[GATE + 2].outputs == experts;
    fit &= layer[EXPERTS].inputs == controls + body && layer[EXPERTS + 2].outputs == body;
    fit &= layer[POLICY].inputs == (uint32_t)model->pose + WISH;
    for (int i = 0; i < model->layers; i++) {
        int blended = EXPERTS <= i && i < POLICY;
        fit &= layer[i].experts == (blended ? experts : 1);
        if (i != GATE && i != EXPERTS && i != POLICY)
            fit &= layer[i].inputs == layer[i - 1].outputs + (blended ? controls : 0);
    }
    return fit && layer[model->layers - 1].outputs == (uint32_t)model->latent;
}

static int text_fits(const char *text, uint32_t bytes, int words)
{
    for (uint32_t i = 0; i < bytes; i++)
        words -= text[i] == 0;
    return words == 0 && bytes > 0 && text[bytes - 1] == 0;
}

mvae_status mvae_open(mvae_model *model, const void *blob, size_t bytes)
{
    uint32_t head[HEADER / 4];
    memset(model, 0, sizeof *model);
    if (bytes < sizeof MAGIC || memcmp(blob, MAGIC, sizeof MAGIC) != 0)
        return MVAE_FOREIGN;
    if (bytes < HEADER)
        return MVAE_TRUNCATED;
    memcpy(head, blob, HEADER);
    if (head[2] != FORMAT)
        return MVAE_VERSION;
    if (head[4] != bytes)
        return MVAE_TRUNCATED;
    if (head[3] != checksum((const unsigned char *)blob + 16, bytes - 16))
        return MVAE_DAMAGED;
    if ((uintptr_t)blob % MVAE_ALIGNMENT != 0)
        return MVAE_UNALIGNED;
    for (int i = 5; i < 14; i++)
        if (head[i] > MOST)
            return MVAE_SIZES;
    int *sizes[] = {&model->bits,   &model->joints,      &model->pose,  &model->styles,
                    &model->latent, &model->reset_poses, &model->layers};
    for (int i = 0; i < 7; i++)
        *sizes[i] = (int)head[5 + i];
    memcpy(&model->rate, head + 14, sizeof(float));
    memcpy(&model->latent_limit, head + 15, sizeof(float));
    memcpy(model->fastest, head + 16, 3 * sizeof(float));
    memcpy(model->sway, head + 19, 2 * sizeof(float));
    uint64_t joints = head[6], pose = head[7];
    int fit = model->bits == 32 || model->bits == 16;
    fit &= joints > 0 && pose == 3 + 12 * joints + head[8] && model->latent > 0;
    fit &= model->reset_poses > 0 && model->layers > POLICY && model->layers <= MVAE_LAYERS;
    fit &= model->rate > 0 && model->fastest[0] > 0 && model->fastest[1] > 0;
    if (!fit || !(model->fastest[2] > 0))
        return MVAE_SIZES;

    reader from = {blob, HEADER, bytes};
    const uint32_t *layers = take(&from, 3 * (uint64_t)model->layers, sizeof(uint32_t));
    model->parents = take(&from, joints, sizeof(int32_t));
    model->offsets = take(&from, 3 * joints, sizeof(float));
    const float **statistics[] = {&model->mean, &model->std, &model->low, &model->high};
    for (int i = 0; i < 4; i++)
        *statistics[i] = take(&from, pose, sizeof(float));
    model->starts = take(&from, pose * head[10], sizeof(float));
    model->names = take(&from, head[12], 1);
    model->notice = take(&from, head[13], 1);
    if (from.at > from.end)
        return MVAE_SIZES;

    for (int i = 0; i < model->layers; i++) {
        mvae_layer *layer = model->layer + i;
        layer->experts = layers[3 * i];
        layer->inputs = layers[3 * i + 1];
        layer->outputs = layers[3 * i + 2];
        if (layer->experts - 1 >= 256 || layer->inputs - 1 >= MOST || layer->outputs - 1 >= MOST ||
            !take_layer(&from, layer, model->bits))
            return MVAE_SIZES;
        model->widest = largest(model->widest, largest(layer->rows, layer->width));
    }
    model->widest = (largest(model->widest, head[7] + WISH) + head[8] + head[9] + 15) / 16 * 16;
    fit = from.at == from.end && layers_fit(model) && model->parents[0] == -1;
    for (int i = 1; i < model->joints; i++)
        fit &= 0 <= model->parents[i] && model->parents[i] < i;
    fit &= text_fits(model->names, head[12], model->joints + model->styles);
    return fit && text_fits(model->notice, head[13], 1) ? MVAE_OK : MVAE_SIZES;
}

const char *mvae_name(const mvae_model *model, int joint)
{
    const char *name = model->names;
    if (joint < 0 || joint >= model->joints + model->styles)
        return NULL;
    while (joint-- > 0)
        name += strlen(name) + 1;
    return name;
}

static size_t nth(int row, int width) { return (size_t)row * (size_t)width; }
static size_t padded(size_t floats) { return (floats + 15) / 16 * 16; }

/* Lay out a crowd's arrays from `memory`, which may be NULL, and return the floats they take. */
static size_t lay_out(mvae_crowd *crowd, float *memory)
{
    const mvae_model *model = crowd->model;
    size_t count = (size_t)crowd->characters, joints = (size_t)model->joints;
    size_t at = 0, rows = 6 * (count < BLOCK ? count : BLOCK);
    size_t sizes[] = {count * (size_t)model->pose, count * 3, count * 3, count * joints * 4,
                      count * joints * 3, count * (size_t)model->latent,
                      rows * model->widest + joints * 9};
    float **arrays[] = {&crowd->pose,  &crowd->place, &crowd->root,   &crowd->rotation,
                        &crowd->joint, &crowd->noise, &crowd->scratch};
    for (int i = 0; i < 7; i++) {
        *arrays[i] = memory ? memory + at : NULL;
        at += padded(sizes[i]);
    }
    return at;
}

size_t mvae_size(const mvae_model *model, int characters)
{
    mvae_crowd crowd = {.model = model, .characters = characters};
    return characters > 0 && characters <= MOST ? lay_out(&crowd, NULL) * sizeof(float) : 0;
}

mvae_status mvae_init(mvae_crowd *crowd, const mvae_model *model, void *memory, size_t bytes,
                      int characters)
{
    memset(crowd, 0, sizeof *crowd);
    size_t needed = mvae_size(model, characters);
    if (memory == NULL || needed == 0 || bytes < needed)
        return MVAE_MEMORY;
    if ((uintptr_t)memory % MVAE_ALIGNMENT != 0)
        return MVAE_UNALIGNED;
    crowd->model = model;
    crowd->characters = characters;
    lay_out(crowd, memory);
    memset(crowd->noise, 0, nth(characters, model->latent) * sizeof(float));
    for (int i = 0; i < characters; i++)
        mvae_reset(crowd, i, 0, 0, 0, 0);
    return MVAE_OK;
}

/* out[0..TILE) += inputs[0..rows) · weights, whose rows have TILE values. */
static void add_floats(const void *restrict weights, const float *restrict inputs, int rows,
                       float *restrict out)
{
    const float *restrict weight = weights;
    for (int first = 0; first < TILE; first += SUMS) {
        float sum[SUMS] = {0};
        for (int i = 0; i < rows; i++)
            for (int k = 0; k < SUMS; k++)
                sum[k] += inputs[i] * weight[i * TILE + first + k];
        for (int k = 0; k < SUMS; k++)
            out[first + k] += sum[k];
    }
}

#ifdef __F16C__
static void add_halves(const void *restrict weights, const float *restrict inputs, int rows,
                       float *restrict out)
{
    const uint16_t *restrict weight = weights;
    __m256 sum[TILE / 8];
    for (int k = 0; k < TILE / 8; k++)
        sum[k] = _mm256_setzero_ps();
    for (int i = 0; i < rows; i++) {
        __m256 input = _mm256_set1_ps(inputs[i]);
        for (int k = 0; k < TILE / 8; k++) {
            __m128i half = _mm_loadu_si128((const void *)(weight + i * TILE + 8 * k));
            sum[k] = _mm256_add_ps(_mm256_mul_ps(input, _mm256_cvtph_ps(half)), sum[k]);
        }
    }
    for (int k = 0; k < TILE / 8; k++)
        _mm256_storeu_ps(out + 8 * k, _mm256_add_ps(sum[k], _mm256_loadu_ps(out + 8 * k)));
}
#else
static void add_halves(const void *restrict weights, const float *restrict inputs, int rows,
                       float *restrict out)
{
    const uint16_t *restrict weight = weights;
    union { uint32_t bits; float value; } number; /* of IEEE's half precision, always finite */
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < TILE; k++) {
            uint32_t half = weight[i * TILE + k];
            number.bits = (half & 0x7fff) << 13 | (half & 0x8000) << 16;
            out[k] += inputs[i] * (number.value * 0x1p112f);
        }
}
#endif

/* Arrays for a block of characters, each with a row of `stride` floats a character. */
typedef struct {
    int characters, start; /* of the crowd */
    size_t stride;
    float *scaled; /* what a layer reads, once for each expert and scaled by its share */
    float *x, *g, *h, *o, *shares;
} block;

typedef enum { LINEAR, RELU, ELU } activation;

static void activate(activation kind, float *values, int count)
{
    for (int i = 0; i < count; i++)
        if (kind != LINEAR && values[i] < 0)
            values[i] = kind == ELU ? expf(values[i]) - 1 : 0;
}

/* out = activation(layer(in)), with the experts' outputs blended by their shares. */
static void apply(const block *of, const mvae_layer *layer, int bits, const float *in, float *out,
                  activation kind)
{
    int experts = (int)layer->experts, inputs = (int)layer->inputs;
    int rows = (int)layer->rows, width = (int)layer->width;
    /* By a pointer, since compilers that inline the loops spill their sums to memory. */
    void (*add)(const void *, const float *, int, float *) = bits == 32 ? add_floats : add_halves;
    for (int c = 0; c < of->characters; c++) {
        size_t row = (size_t)c * of->stride;
        float *scaled = of->scaled + (size_t)c * of->stride;
        memset(out + row, 0, (size_t)width * sizeof(float));
        memset(scaled + rows - 3, 0, 3 * sizeof(float)); /* rows are rounded up by 3 at most */
        for (int e = 0; e < experts; e++) {
            float share = experts > 1 ? of->shares[row + (size_t)e] : 1;
            for (int i = 0; i < inputs; i++)
                scaled[e * inputs + i] = share * in[row + (size_t)i];
            for (int i = 0; i < width; i++)
                out[row + (size_t)i] += share * layer->bias[e * width + i];
        }
    }
    for (int tile = 0; tile < width; tile += TILE)
        for (int row = 0; row < rows; row += CHUNK) {
            int count = rows - row < CHUNK ? rows - row : CHUNK;
            size_t at = (nth(tile, rows) + nth(row, TILE)) * (size_t)bits / 8;
            for (int c = 0; c < of->characters; c++) {
                size_t first = (size_t)c * of->stride;
                add((const char *)layer->weight + at, of->scaled + first + row, count,
                    out + first + tile);
            }
        }
    for (int c = 0; c < of->characters; c++)
        activate(kind, out + (size_t)c * of->stride, (int)layer->outputs);
}

static float clamped(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

/* The same angle in [-pi, pi). */
static float wrapped(float angle) { return angle - 2 * PI * floorf((angle + PI) / (2 * PI)); }

/* What the policy sees of a wish: velocity ahead and to the left, slowed to what it was trained
 * for, then cosine and sine of the angle from the facing to the wished one. */
static void see(const mvae_model *model, const mvae_wish *wish, float yaw, float *seen)
{
    float x = wish->velocity[0], z = wish->velocity[1];
    float cosine = cosf(wish->facing), sine = sinf(wish->facing), ahead = sine * x + cosine * z;
    float along = ahead / model->fastest[ahead < 0 ? 2 : 0];
    float across = (cosine * x - sine * z) / model->fastest[1];
    float share = sqrtf(along * along + across * across);
    float slowing = share > 1 ? 1 / share : 1;
    cosine = cosf(yaw), sine = sinf(yaw);
    seen[0] = slowing * (sine * x + cosine * z);
    seen[1] = slowing * (cosine * x - sine * z);
    seen[2] = cosf(wish->facing - yaw);
    seen[3] = sinf(wish->facing - yaw);
}

/* Slow noise on the latents of who is to stand, if the policy was trained with it. */
static void sway(mvae_crowd *crowd, const mvae_wish *wishes)
{
    const float *fade = crowd->model->sway;
    size_t count = nth(crowd->characters, crowd->model->latent);
    for (size_t i = 0; fade[1] > 0 && i < count; i++) {
        const float *wish = wishes[i / (size_t)crowd->model->latent].velocity;
        float normal = -6; /* nearly, as the sum of twelve numbers between 0 and 1 */
        for (int k = 0; k < 12; k++) {
            crowd->random = crowd->random * 1664525u + 1013904223u;
            normal += (float)(crowd->random >> 8) / 16777216;
        }
        float fresh = wish[0] * wish[0] + wish[1] * wish[1] < 0.01f ? fade[1] : 0; /* 0.1 m/s */
        crowd->noise[i] = fade[0] * crowd->noise[i] + fresh * normal;
    }
}

/* x = what the decoder reads: z and the weights of styles, then the pose without them. */
static void act(const block *of, const mvae_crowd *crowd, const mvae_wish *wishes)
{
    const mvae_model *model = crowd->model;
    int size = model->pose, body = size - model->styles, controls = model->latent + model->styles;
    const float *in = of->x;
    float *out = of->g;
    for (int c = 0; c < of->characters; c++) {
        float *x = of->x + (size_t)c * of->stride;
        int index = of->start + c;
        memcpy(x, crowd->pose + nth(index, size), (size_t)size * sizeof(float));
        see(model, wishes + index, crowd->place[3 * index + 2], x + size);
    }
    for (int i = POLICY; i < model->layers; i++) {
        int last = i == model->layers - 1;
        apply(of, model->layer + i, model->bits, in, out, last ? LINEAR : RELU);
        in = out;
        out = out == of->g ? of->h : of->g;
    }
    for (int c = 0; c < of->characters; c++) {
        size_t row = (size_t)c * of->stride;
        const float *pose = crowd->pose + nth(of->start + c, size);
        float *x = of->x + row;
        for (int i = 0; i < model->latent; i++)
            x[i] = clamped(model->latent_limit * tanhf(in[row + (size_t)i]) +
                               crowd->noise[nth(of->start + c, model->latent) + (size_t)i],
                           -LATENT_LIMIT, LATENT_LIMIT);
        for (int i = 0; i < size; i++) /* styles before the body */
            x[i < body ? controls + i : model->latent + i - body] = pose[i];
    }
}

static void softmax(float *values, int count)
{
    float largest = values[0], total = 0;
    for (int i = 1; i < count; i++)
        largest = values[i] > largest ? values[i] : largest;
    for (int i = 0; i < count; i++)
        total += values[i] = expf(values[i] - largest);
    for (int i = 0; i < count; i++)
        values[i] /= total;
}

/* The next poses of a block, clamped to the range that the model knows. */
static void decode(const block *of, const mvae_crowd *crowd)
{
    const mvae_model *model = crowd->model;
    const mvae_layer *gate = model->layer + GATE, *experts = model->layer + EXPERTS;
    int bits = model->bits, controls = model->latent + model->styles;
    apply(of, gate, bits, of->x, of->g, ELU);
    apply(of, gate + 1, bits, of->g, of->h, ELU);
    apply(of, gate + 2, bits, of->h, of->shares, LINEAR);
    for (int c = 0; c < of->characters; c++) {
        size_t row = (size_t)c * of->stride;
        softmax(of->shares + row, (int)experts->experts);
        memcpy(of->g + row, of->x + row, (size_t)controls * sizeof(float));
        memcpy(of->h + row, of->x + row, (size_t)controls * sizeof(float));
    }
    apply(of, experts, bits, of->x, of->g + controls, ELU);
    apply(of, experts + 1, bits, of->g, of->h + controls, ELU);
    apply(of, experts + 2, bits, of->h, of->o, LINEAR);
    for (int c = 0; c < of->characters; c++) {
        float *pose = crowd->pose + nth(of->start + c, model->pose);
        const float *out = of->o + (size_t)c * of->stride;
        for (int i = 0; i < model->pose - model->styles; i++)
            pose[i] = clamped(out[i], model->low[i], model->high[i]);
    }
}

/* The first three values of a pose are its velocity: forward, left, turning. */
static void move(const mvae_model *model, const float *pose, float *place)
{
    float speed[3], seconds = 1 / model->rate;
    float cosine = cosf(place[2]), sine = sinf(place[2]);
    for (int i = 0; i < 3; i++)
        speed[i] = pose[i] * model->std[i] + model->mean[i];
    place[0] += seconds * (cosine * speed[1] + sine * speed[0]);
    place[1] += seconds * (cosine * speed[0] - sine * speed[1]);
    place[2] = wrapped(place[2] + seconds * speed[2]);
}

static float norm(const float *v) { return sqrtf(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

/* Gram-Schmidt: a rotation whose first two columns are near `six` (Zhou et al. 2019). */
static void orthonormal(const float *six, float m[9])
{
    float a[3], b[3], along = 0, length = fmaxf(norm(six), 1e-12f);
    for (int i = 0; i < 3; i++)
        along += (a[i] = six[i] / length) * six[3 + i];
    for (int i = 0; i < 3; i++)
        b[i] = six[3 + i] - along * a[i];
    length = fmaxf(norm(b), 1e-12f);
    for (int i = 0; i < 3; i++) {
        b[i] /= length;
        m[3 * i] = a[i];
        m[3 * i + 1] = b[i];
    }
    for (int i = 0; i < 3; i++)
        m[3 * i + 2] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

/* The quaternion with w >= 0 of a rotation, by its largest part (Shepperd 1978). */
static void quaternion(const float m[9], float *q)
{
    float t[4] = {1 + m[0] - m[4] - m[8], 1 - m[0] + m[4] - m[8], 1 - m[0] - m[4] + m[8],
                  1 + m[0] + m[4] + m[8]};
    float wx = m[7] - m[5], wy = m[2] - m[6], wz = m[3] - m[1];
    float xy = m[1] + m[3], xz = m[2] + m[6], yz = m[5] + m[7];
    float rows[4][4] = {
        {t[0], xy, xz, wx}, {xy, t[1], yz, wy}, {xz, yz, t[2], wz}, {wx, wy, wz, t[3]}};
    int best = 0;
    for (int i = 1; i < 4; i++)
        best = t[i] > t[best] ? i : best;
    float length = 0;
    for (int i = 0; i < 4; i++)
        length += rows[best][i] * rows[best][i];
    length = rows[best][3] < 0 ? -sqrtf(length) : sqrtf(length);
    for (int i = 0; i < 4; i++)
        q[i] = rows[best][i] / length;
}

/* Root, local rotations and joints in the world, from a pose and its place. */
static void place_joints(mvae_crowd *crowd, int character, float *world)
{
    const mvae_model *model = crowd->model;
    const float *pose = crowd->pose + nth(character, model->pose);
    const float *place = crowd->place + 3 * character;
    float *root = crowd->root + 3 * character;
    float *rotation = crowd->rotation + nth(character, 4 * model->joints);
    float *joint = crowd->joint + nth(character, 3 * model->joints);
    float cosine = cosf(place[2]), sine = sinf(place[2]);
    root[0] = place[0];
    root[1] = pose[4] * model->std[4] + model->mean[4]; /* the first joint's height */
    root[2] = place[1];
    for (int j = 0; j < model->joints; j++) {
        float six[6], m[9], local[9], *w = world + 9 * j;
        int first = 3 + 6 * model->joints + 6 * j, parent = model->parents[j];
        for (int i = 0; i < 6; i++)
            six[i] = pose[first + i] * model->std[first + i] + model->mean[first + i];
        orthonormal(six, m);
        for (int i = 0; i < 3; i++) { /* turned by yaw */
            w[i] = cosine * m[i] + sine * m[6 + i];
            w[3 + i] = m[3 + i];
            w[6 + i] = cosine * m[6 + i] - sine * m[i];
        }
        const float *p = world + 9 * (parent < 0 ? 0 : parent), *offset = model->offsets + 3 * j;
        for (int r = 0; r < 3; r++) {
            for (int c = 0; c < 3; c++) /* the parent's inverse times this */
                local[3 * r + c] = p[r] * w[c] + p[3 + r] * w[3 + c] + p[6 + r] * w[6 + c];
            float bone = p[3 * r] * offset[0] + p[3 * r + 1] * offset[1] + p[3 * r + 2] * offset[2];
            joint[3 * j + r] = parent < 0 ? root[r] : joint[3 * parent + r] + bone;
        }
        quaternion(parent < 0 ? w : local, rotation + 4 * j);
    }
}

static block arrays(const mvae_crowd *crowd, int start)
{
    int left = crowd->characters - start, most = crowd->characters;
    size_t stride = crowd->model->widest, size = stride * (size_t)(most < BLOCK ? most : BLOCK);
    float *at = crowd->scratch;
    block of = {left < BLOCK ? left : BLOCK, start, stride, at, at + size, at + 2 * size,
                at + 3 * size, at + 4 * size, at + 5 * size};
    return of;
}

static int finite3(float a, float b, float c) { return isfinite(a) && isfinite(b) && isfinite(c); }

mvae_status mvae_step(mvae_crowd *crowd, const mvae_wish *wishes)
{
    for (int i = 0; i < crowd->characters; i++)
        if (!finite3(wishes[i].velocity[0], wishes[i].velocity[1], wishes[i].facing))
            return MVAE_WISH;
    sway(crowd, wishes);
    for (int start = 0; start < crowd->characters; start += BLOCK) {
        block of = arrays(crowd, start);
        act(&of, crowd, wishes);
        decode(&of, crowd);
        for (int c = start; c < start + of.characters; c++) {
            move(crowd->model, crowd->pose + nth(c, crowd->model->pose), crowd->place + 3 * c);
            place_joints(crowd, c, of.scaled); /* no longer needed for a layer */
        }
    }
    return MVAE_OK;
}

mvae_status mvae_reset(mvae_crowd *crowd, int character, int pose, float x, float z, float yaw)
{
    const mvae_model *model = crowd->model;
    if (character < 0 || character >= crowd->characters || pose < 0 || pose >= model->reset_poses)
        return MVAE_INDEX;
    if (!finite3(x, z, yaw))
        return MVAE_WISH;
    const float place[3] = {x, z, wrapped(yaw)};
    memcpy(crowd->place + nth(character, 3), place, sizeof place);
    memcpy(crowd->pose + nth(character, model->pose), model->starts + nth(pose, model->pose),
           (size_t)model->pose * sizeof(float));
    place_joints(crowd, character, crowd->scratch);
    return MVAE_OK;
}

mvae_status mvae_style(mvae_crowd *crowd, int character, int style)
{
    const mvae_model *model = crowd->model;
    if (character < 0 || character >= crowd->characters || style < 0 || style >= model->styles)
        return MVAE_INDEX;
    float *weights = crowd->pose + nth(character + 1, model->pose) - model->styles;
    for (int i = 0; i < model->styles; i++)
        weights[i] = i == style;
    return MVAE_OK;
}

/* A critically damped spring with a half-life of 0.08 s, solved exactly. */
static void follow(float *value, float *change, float target, float seconds)
{
    float decay = 2 * 0.69314718f / 0.08f, damping = expf(-decay * seconds);
    float distance = *value - target, momentum = *change + distance * decay;
    *value = damping * (distance + momentum * seconds) + target;
    *change = damping * (*change - momentum * decay * seconds);
}

void mvae_steer(mvae_steering *steering, float x, float z, int turn, float seconds)
{
    mvae_wish *wish = &steering->wish;
    if (turn && (x != 0 || z != 0))
        steering->facing += wrapped(atan2f(x, z) - steering->facing);
    follow(wish->velocity, steering->change, x, seconds);
    follow(wish->velocity + 1, steering->change + 1, z, seconds);
    follow(&wish->facing, steering->change + 2, steering->facing, seconds);
}

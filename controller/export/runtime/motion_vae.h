/* A character that walks as it is told: the run-time half of a motion VAE controller.
 * SPDX-License-Identifier: MIT (the weights have a licence of their own: see `notice` below).
 *
 * C99. Needs nothing but the C library and libm. Never allocates, opens files or starts threads:
 * all memory is the caller's. A model is read-only and may serve any number of threads; a crowd
 * belongs to one thread at a time.
 *
 * Metres, seconds, radians. Right-handed: +Y up; at yaw 0 a character faces +Z and its left is +X;
 * a positive yaw turns left. Quaternions are (x, y, z, w).
 *
 *     mvae_model model;                          the weights, read in place
 *     mvae_status bad = mvae_open(&model, blob, bytes);
 *     mvae_crowd crowd;                          one or more characters
 *     bad = mvae_init(&crowd, &model, malloc(mvae_size(&model, 1)), mvae_size(&model, 1), 1);
 *     mvae_reset(&crowd, 0, 0, 0, 0, 0);
 *     for (;;) {                                 model.rate times a second
 *         mvae_wish wish = {{0, 1.3f}, 0};       walk along +Z at 1.3 m/s, facing +Z
 *         mvae_step(&crowd, &wish);
 *         draw(mvae_root(&crowd, 0), mvae_rotations(&crowd, 0));
 *     }
 */
#ifndef MOTION_VAE_H
#define MOTION_VAE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MVAE_ALIGNMENT 64 /* bytes: of blobs in memory, and of the memory of a crowd */
#define MVAE_LAYERS 16    /* the most layers of a model */

typedef enum {
    MVAE_OK = 0,
    MVAE_FOREIGN,   /* not a blob of this kind */
    MVAE_VERSION,   /* a blob of another version */
    MVAE_TRUNCATED, /* the blob is shorter or longer than it says */
    MVAE_DAMAGED,   /* its checksum is wrong */
    MVAE_SIZES,     /* its sizes do not fit each other */
    MVAE_UNALIGNED, /* the memory does not begin at a multiple of MVAE_ALIGNMENT */
    MVAE_MEMORY,    /* the memory is smaller than mvae_size says, or there are no characters */
    MVAE_INDEX,     /* there is no such character or reset pose */
    MVAE_WISH       /* a wish or a place is not finite */
} mvae_status;

/* One sentence about a status. */
const char *mvae_message(mvae_status status);

/* A linear layer of one or more experts, in the blob. Inner: see motion_vae.c. */
typedef struct {
    uint32_t experts, inputs, outputs, rows, width;
    const float *bias;
    const void *weight;
} mvae_layer;

/* Sizes of a character, and pointers into its blob, which must stay where it is. */
typedef struct {
    int joints;           /* J */
    int pose;             /* values of a pose, D, those of styles included */
    int styles;           /* S; a pose ends with their weights */
    int latent;           /* values of the latent z */
    int reset_poses;      /* poses to start from */
    int bits;             /* of a weight: 32 or 16 */
    float rate;           /* steps a second */
    float latent_limit;   /* z is within ± this */
    float fastest[3];     /* m/s forward, sideways, backward; faster wishes are slowed to this */
    float sway[2];        /* how much of the noise on z stays in a step, and how much comes anew */
    const int32_t *parents; /* (J) each joint's parent, which comes before it; -1 for the root */
    const float *offsets; /* (J, 3) from the parent, in the rest pose: all rotations identities */
    const char *names;    /* J names, each ended by a 0 */
    const char *notice;   /* the licence of the weights, and whom to name */
    const float *mean, *std, *low, *high, *starts; /* statistics (D); reset poses */
    int layers;           /* 3 of the gate, 3 of the experts, the others of the policy */
    uint32_t widest;      /* floats of the widest row that a step needs; inner */
    mvae_layer layer[MVAE_LAYERS];
} mvae_model;

/* How a character should move. Smooth it over time: a wish that jumps looks like a jerk. */
typedef struct {
    float velocity[2]; /* m/s over the ground, in the world: (x, z); 0 to stand */
    float facing;      /* radians: the yaw to face */
} mvae_wish;

/* The characters of one model. The arrays may be read at any time, and `pose` and `place` copied
 * to and fro to save and restore a moment. */
typedef struct {
    const mvae_model *model;
    int characters; /* N */
    uint32_t random; /* state of the noise; set it to a number of yours after mvae_init */
    float *pose;    /* (N, D) in standard deviations from the mean */
    float *place;   /* (N, 3) x and z on the ground in metres, yaw in radians */
    float *root;    /* (N, 3) of the root joint in the world */
    float *rotation; /* (N, J, 4) each joint relative to its parent, the root to the world */
    float *joint;   /* (N, J, 3) every joint in the world */
    float *noise;   /* (N, latent) noise on z; zeros unless the policy was trained with it */
    float *scratch; /* inner */
} mvae_crowd;

/* Read a blob of `bytes` in memory. It is not copied. */
mvae_status mvae_open(mvae_model *model, const void *blob, size_t bytes);

/* The name of a joint, or of a style if `joint` is J or more; NULL if there is none. */
const char *mvae_name(const mvae_model *model, int joint);

/* Bytes of memory for so many characters; 0 if that is not a number of characters. */
size_t mvae_size(const mvae_model *model, int characters);

/* Make a crowd in `memory`. All characters stand at the origin in the first reset pose. */
mvae_status mvae_init(mvae_crowd *crowd, const mvae_model *model, void *memory, size_t bytes,
                      int characters);

/* Put a character down in a reset pose, at (x, z), facing `yaw`. */
mvae_status mvae_reset(mvae_crowd *crowd, int character, int pose, float x, float z, float yaw);

/* Ask for the style of this number, from 0, of a character whose model has styles. */
mvae_status mvae_style(mvae_crowd *crowd, int character, int style);

/* Move all characters by 1 / rate seconds, by a wish each. If one is not finite, none moves. */
mvae_status mvae_step(mvae_crowd *crowd, const mvae_wish *wishes);

/* (3), (J, 4) and (J, 3) values of one character: see mvae_crowd. */
static inline const float *mvae_root(const mvae_crowd *crowd, int character)
{
    return crowd->root + 3 * (size_t)character;
}

static inline const float *mvae_rotations(const mvae_crowd *crowd, int character)
{
    return crowd->rotation + 4 * (size_t)crowd->model->joints * (size_t)character;
}

static inline const float *mvae_joints(const mvae_crowd *crowd, int character)
{
    return crowd->joint + 3 * (size_t)crowd->model->joints * (size_t)character;
}

/* A stick that becomes a smooth wish. Begin with {{{0, 0}, yaw}} of the character. */
typedef struct {
    mvae_wish wish;      /* the wish as it is now */
    float change[3];     /* its change a second */
    float facing;        /* what its facing moves to, not wrapped */
} mvae_steering;

/* Move the wish towards a velocity (x, z) in m/s for `seconds`. With `turn` the facing follows the
 * direction of travel, otherwise it stays. */
void mvae_steer(mvae_steering *steering, float x, float z, int turn, float seconds);

#ifdef __cplusplus
}
#endif
#endif

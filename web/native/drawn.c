/* What a crowd looks like.
 * SPDX-License-Identifier: MIT */

static memory *memory_of(const drawn *d, int character)
{
    return (memory *)(d->memory + (size_t)character * d->size);
}

/* Of a crowd. `numbers` are the settings, how many legs there are, then 18 for each: joints, and the
 * shape of Python's shape_of. NULL if there is not enough memory, or too many legs. */
EXPORT("drawn") drawn *drawn_of(const mvae_crowd *crowd, const double *numbers)
{
    size_t joints = (size_t)crowd->model->joints, count = (size_t)crowd->characters;
    enum { SETTINGS = sizeof(settings) / sizeof(double) };
    drawn *d = allocate(sizeof *d);
    int32_t *part = allocate(joints * sizeof(int32_t));
    size_t size = sizeof(memory) + (3 * (3 + 9 * joints) + 3 * (3 + 3 * joints)) * sizeof(float);
    size = (size + 63) / 64 * 64;
    char *bytes = allocate(size * count);
    float *root = allocate(3 * count * sizeof(float)), *rotation = allocate(4 * count * joints * 4);
    float *frame = allocate((3 + 9 * joints) * sizeof(float));
    vec *place = allocate(joints * sizeof(vec));
    mat *world = allocate(joints * sizeof(mat));
    if (!d || !part || !bytes || !root || !rotation || !frame || !place || !world)
        return NULL;
    memset(bytes, 0, size * count);
    *d = (drawn){crowd, {0}, (int)numbers[SETTINGS], {{0}}, SETTLED, part, size, bytes, root, rotation, frame,
                 place, world};
    memcpy(&d->set, numbers, sizeof d->set);
    if (d->legs < 0 || d->legs > MOST_LEGS)
        return NULL;
    for (int f = 0; f < d->legs; f++) {
        const double *n = numbers + SETTINGS + 1 + 18 * f;
        d->leg[f] = (leg){(int)n[0], (int)n[1], (int)n[2], (int)n[3], {n[4], n[5], n[6]},
                          {n[7], n[8], n[9]}, {n[10], n[11], n[12]}, n[13], n[14], n[15], n[16],
                          n[17] > 0};
    }
    for (size_t j = 0; j < joints; j++) {
        part[j] = j ? part[crowd->model->parents[j]] : -1;
        for (int f = 0; f < d->legs; f++) {
            const int at[] = {d->leg[f].hip, d->leg[f].knee, d->leg[f].ankle};
            for (int i = 0; i < 3; i++)
                part[j] = at[i] == (int)j ? 3 * f + i : part[j];
        }
    }
    return d;
}

/* Roots and rotations, as those of a crowd. */
EXPORT("drawn_array") float *drawn_array(const drawn *d, int which)
{
    return which ? d->rotation : d->root;
}

/* Forget everything about a character: its next frame has nothing to do with the last one. */
EXPORT("drawn_cut") void drawn_cut(drawn *d, int character)
{
    memset(memory_of(d, character), 0, sizeof(memory));
    d->free = SETTLED;
}

/* In its next frame a character moves on in another way. */
EXPORT("drawn_switch") void drawn_switch(drawn *d, int character)
{
    memory *own = memory_of(d, character);
    own->begins = own->shown;
}

/* A character goes on in another place, maybe of another crowd of the same model. */
EXPORT("drawn_move") void drawn_move(drawn *to, int place, const drawn *from, int character)
{
    memcpy(memory_of(to, place), memory_of(from, character), to->size);
}

/* A character's next frame is at the time at which another one of the same skeleton was shown last.
 * It begins in that pose, and its feet stay where they are. */
EXPORT("drawn_follow") void drawn_follow(drawn *to, int place, const drawn *from, int character)
{
    memory *own = memory_of(to, place);
    if (from->size != to->size)
        return drawn_cut(to, place);
    drawn_move(to, place, from, character);
    own->given = own->blends = own->has_step = 0;
    own->begins = own->shown;
}

static void from_quaternions(const drawn *d, const float *q, mat *world)
{
    for (int j = 0; j < d->crowd->model->joints; j++, q += 4) {
        mat own = turned_by(q[3], (vec){q[0], q[1], q[2]});
        int parent = d->crowd->model->parents[j];
        world[j] = parent < 0 ? own : times(world[parent], own);
    }
}

/* The next frame of all characters: blended, with feet that are held if `on` is not 0, on a plane
 * that rises by `east` and `south`. */
EXPORT("draw") void draw(drawn *d, int on, double east, double south)
{
    const mvae_model *model = d->crowd->model;
    int joints = model->joints;
    d->free = on ? 0 : d->free + 1;
    int tilted = east != 0 || south != 0, held = d->legs && d->free < SETTLED;
    for (int c = 0; c < d->crowd->characters; c++) {
        memory *own = memory_of(d, c);
        const float *from = d->crowd->root + 3 * c, *turns = d->crowd->rotation + nth(c, 4 * joints);
        float *frame = d->frame, *q = d->rotation + nth(c, 4 * joints), local[9];
        from_quaternions(d, turns, d->world);
        memcpy(frame, from, 3 * sizeof(float));
        for (int j = 0; j < joints; j++)
            flatten(d->world[j], frame + 3 + 9 * j);
        blend(d, c, own, frame);
        for (int j = 0; own->blends && j < joints; j++)
            d->world[j] = matrix(frame + 3 + 9 * j);
        vec root = {frame[0], frame[1], frame[2]};
        if (held) {
            place_all(d, root);
            root = lock_feet(d, own, root, on);
        } else {
            memset(own->feet, 0, sizeof own->feet);
            own->sink = own->sink_speed = 0;
        }
        if (tilted && d->legs) {
            place_all(d, root);
            root = stand_on(d, own, root, east, south);
        } else
            root.y += east * root.x + south * root.z;
        own->stood = tilted;
        float *out = d->root + 3 * c;
        out[0] = (float)root.x;
        out[1] = (float)root.y;
        out[2] = (float)root.z;
        if (!held && !tilted && !own->blends) { /* as it was */
            memcpy(q, turns, 4 * (size_t)joints * sizeof(float));
            continue;
        }
        for (int j = 0; j < joints; j++) {
            int parent = model->parents[j];
            mat m = parent < 0 ? d->world[j] : times(transposed(d->world[parent]), d->world[j]);
            flatten(m, local);
            quaternion(local, q + 4 * j);
        }
    }
}

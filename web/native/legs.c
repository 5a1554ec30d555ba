/* Legs of two bones: on feet that are held, as controller/motion/leg_kernels.py, and on a plane, as
 * controller/ground/standing_kernels.py has it there.
 * SPDX-License-Identifier: MIT */

/* Rotations of thigh and shin that bring the ankle to a target, with a bend from `low` to `high`.
 * Returns the bend. */
static double two_bone(vec hip, vec knee, vec ankle, vec hinge, vec target, double low, double high,
                       mat turns[2], double *distance)
{
    vec first = minus(knee, hip), second = minus(ankle, knee), way = minus(target, hip);
    double a = length(first), b = length(second), difference = a < b ? b - a : a - b;
    vec thigh = unit(first);
    vec axis = along(cross(thigh, unit(second)), unit(hinge), 2 * STRAIGHT);
    axis = unit(along(axis, thigh, -dot(axis, thigh)));
    double far = within(length(way), difference, a + b);
    double cosine = (far * far - a * a - b * b) / most(2 * a * b, 1e-12);
    double bend = within(arc_cosine(cosine), low, high);
    vec flat = along(second, axis, -dot(second, axis));
    double half = (bend - arc_tangent2(dot(cross(first, flat), axis), dot(first, flat))) / 2;
    mat shin = times(turned_by(sine_of(half, 1), along((vec){0, 0, 0}, axis, sine_of(half, 0))),
                     between(second, flat));
    vec whole = along(first, of(shin, second), 1);
    turns[0] = between(whole, way);
    turns[1] = times(turns[0], shin);
    *distance = length(whole);
    return bend;
}

/* The ankle, nearer to the hip if it is out of reach: the heel rises, and the toe stays. */
static vec reachable(vec hip, vec toe, vec ankle, double own, double bones, const settings *set)
{
    double size = length(minus(ankle, toe)), soft = most(own, set->soft * bones);
    double rest = most(own, set->hard * bones) - soft;
    for (int i = 0; i < 4; i++) {
        vec way = minus(ankle, hip);
        double distance = length(way), reach = soft;
        if (distance <= soft)
            break;
        if (rest > 1e-6)
            reach += rest * (1 - exponential((soft - distance) / rest));
        ankle = along(hip, way, reach / distance);
        if (size < 1e-6)
            break;
        vec up = minus(ankle, toe);
        ankle = along(toe, up, size / most(length(up), 1e-9));
    }
    return ankle;
}

/* By how many metres a hip must sink so that its leg reaches; less than 0 if it does. */
static double drop_of(vec hip, double own, vec target, double bones, const settings *set)
{
    double reach = most(own, set->soft * bones), x = target.x - hip.x, z = target.z - hip.z;
    return hip.y - target.y - __builtin_sqrt(most(reach * reach - x * x - z * z, 0));
}

/* Turn a toe whose tip is below the ground, with its joint at a height above it. */
static void lift_tip(mat *rotation, double height, vec bone)
{
    vec tip = of(*rotation, bone);
    double size = length(tip);
    if (size < 1e-6 || height + tip.y >= 0)
        return;
    double rise = within(-height / size, -1, 1);
    double level = __builtin_sqrt(1 - rise * rise) /
                   most(__builtin_sqrt(tip.x * tip.x + tip.z * tip.z), 1e-9);
    vec lifted = {level * tip.x, rise, level * tip.z};
    *rotation = times(between(tip, lifted), *rotation);
}

typedef struct {
    const leg *own;
    vec hip, knee, ankle, wanted, toe; /* as they are; where ankle and toe go */
    vec new_hip;
    double low, high; /* the knee's bend */
} task;

/* How thigh and shin turn, and by what the foot turns on; where the toe comes to be. */
static vec bend_leg(const task *t, mat turns[3], double *bend, vec hinge, const settings *set)
{
    double distance, own = length(minus(t->ankle, t->hip));
    vec end = reachable(t->new_hip, t->toe, t->wanted, own, t->own->length, set);
    vec by = minus(t->new_hip, t->hip);
    *bend = two_bone(t->new_hip, along(t->knee, by, 1), along(t->ankle, by, 1), hinge, end, t->low,
                     t->high, turns, &distance);
    vec lever = minus(t->wanted, t->toe);
    if (length(lever) > 1e-6)
        turns[2] = times(between(lever, minus(end, t->toe)), turns[2]);
    vec way = minus(end, t->new_hip);
    return along(t->toe, way, distance / most(length(way), 1e-9) - 1);
}

static void knee_limits(task *t, int seen, double bend, double fastest, double seconds)
{
    t->low = seen ? most(bend - fastest * seconds, 0) : 0;
    t->high = seen ? least(bend + fastest * seconds, HALF_TURN) : HALF_TURN;
}

/* Joints in the world by the rotations in the world. */
static void place_all(drawn *d, vec root)
{
    const mvae_model *model = d->crowd->model;
    d->place[0] = root;
    for (int j = 1; j < model->joints; j++) {
        const float *o = model->offsets + 3 * j;
        int parent = model->parents[j];
        vec bone = of(d->world[parent], (vec){o[0], o[1], o[2]});
        d->place[j] = along(d->place[parent], bone, 1);
    }
}

/* Turn all joints with the parts of the legs, and others by `rest`. */
static void turn_all(drawn *d, const mat *turns, const mat *rest)
{
    for (int j = 0; j < d->crowd->model->joints; j++) {
        int part = d->part[j];
        if (part >= 0)
            d->world[j] = times(turns[part], d->world[j]);
        else if (rest)
            d->world[j] = times(*rest, d->world[j]);
    }
}

/* As controller/motion/leg_kernels.py, on flat ground. Returns the root. */
static vec lock_feet(drawn *d, memory *own, vec root, int on)
{
    const settings *set = &d->set;
    task tasks[MOST_LEGS];
    mat turns[3 * MOST_LEGS];
    double deepest = 0, height[MOST_LEGS];
    for (int f = 0; f < d->legs; f++) {
        const leg *l = d->leg + f;
        foot *s = own->feet + f;
        task *t = tasks + f;
        vec ahead = of(d->world[l->ankle], l->forward);
        *t = (task){l, d->place[l->hip], d->place[l->knee], d->place[l->ankle], {0}, d->place[l->toe],
                    {0}, 0, 0};
        hold(s, t->toe, t->ankle, arc_tangent2(ahead.x, ahead.z), l, set, on);
        vec back = rotated(t->ankle.x - t->toe.x, t->ankle.z - t->toe.z, s->turn);
        double lift = most(0, most(-t->toe.y, -t->ankle.y));
        t->toe = (vec){t->toe.x + s->shift_x, t->toe.y + lift, t->toe.z + s->shift_z};
        t->wanted = (vec){t->toe.x + back.x, t->ankle.y + lift, t->toe.z + back.z};
        double reach = length(minus(t->ankle, t->hip));
        double drop = drop_of(t->hip, reach, t->wanted, l->length, set);
        if (drop > set->deepest)
            s->tired = 1;
        deepest = most(deepest, least(drop, set->deepest));
    }
    double rest = own->sink + deepest;
    decayed(&rest, &own->sink_speed, set->sink, set->seconds);
    own->sink = rest - deepest;
    root.y += own->sink;
    for (int f = 0; f < d->legs; f++) {
        task *t = tasks + f;
        foot *s = own->feet + f;
        t->hip.y += own->sink; /* knee and ankle, too: the body sinks as a whole */
        t->knee.y += own->sink;
        t->ankle.y += own->sink;
        t->new_hip = t->hip;
        knee_limits(t, s->seen, s->bend, t->own->fastest, set->seconds);
        turns[3 * f + 2] = turned_by(sine_of(s->turn / 2, 1), (vec){0, sine_of(s->turn / 2, 0), 0});
        vec hinge = of(d->world[t->own->hip], t->own->hinge);
        height[f] = bend_leg(t, turns + 3 * f, &s->bend, hinge, set).y;
        s->seen = 1;
    }
    turn_all(d, turns, NULL);
    for (int f = 0; f < d->legs; f++)
        lift_tip(d->world + d->leg[f].toe, height[f], d->leg[f].tip);
    return root;
}

/* On a plane that rises by `east` and `south` for each metre along x and z. Returns the root. */
static vec stand_on(drawn *d, memory *own, vec root, double east, double south)
{
    const settings *set = &d->set;
    task tasks[MOST_LEGS];
    mat turns[3 * MOST_LEGS], tilt = between((vec){0, 1, 0}, (vec){-east, 1, -south});
    mat lean = between((vec){0, 1, 0}, (vec){set->lean * east, 1, set->lean * south});
    vec toes[MOST_LEGS];
    double deepest = 0, lift = east * root.x + south * root.z;
    for (int f = 0; f < d->legs; f++) {
        const leg *l = d->leg + f;
        task *t = tasks + f;
        *t = (task){l, d->place[l->hip], d->place[l->knee], d->place[l->ankle], {0}, d->place[l->toe],
                    {0}, 0, 0};
        double reach = length(minus(t->ankle, t->hip));
        vec back = of(tilt, minus(t->ankle, t->toe));
        t->toe.y += east * t->toe.x + south * t->toe.z;
        t->wanted = along(t->toe, back, 1);
        t->new_hip = along(root, of(lean, minus(t->hip, root)), 1);
        t->new_hip.y += lift;
        double drop = drop_of(t->new_hip, reach, t->wanted, l->length, set);
        deepest = most(deepest, least(drop, set->deep));
    }
    double rest = own->stood ? own->deep - deepest : 0;
    decayed(&rest, &own->deep_speed, 1.6 * set->hips, set->seconds);
    own->deep = deepest + rest;
    root.y += lift - own->deep;
    for (int f = 0; f < d->legs; f++) {
        task *t = tasks + f;
        double *bent = own->bend + f;
        t->new_hip.y -= own->deep;
        knee_limits(t, own->stood, *bent, set->limber * t->own->fastest, set->seconds);
        turns[3 * f + 2] = tilt;
        vec hinge = of(d->world[t->own->hip], t->own->hinge);
        toes[f] = bend_leg(t, turns + 3 * f, bent, hinge, set);
    }
    turn_all(d, turns, &lean);
    for (int f = 0; f < d->legs; f++) {
        mat *toe = d->world + d->leg[f].toe;
        vec tip = along(toes[f], of(*toe, d->leg[f].tip), 1);
        lift_tip(toe, toes[f].y - east * tip.x - south * tip.z, d->leg[f].tip);
    }
    return root;
}

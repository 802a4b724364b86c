/* glyphs.c — `glyphs`: ten signs drawn with a pen, 28×28 grey, generated.
 *
 * A sign is one to three strokes, each a quadratic curve given by three points of the unit square. Every image moves
 * the points a little, as a hand does, then slants, turns, stretches and shifts the whole, and draws it with a pen of
 * its own width and blackness: white on black, as MNIST is, and about as easy. */
#include "data/generate.h"

#include <math.h>

enum { SIDE = 28, CLASSES = 10, MOST_STROKES = 3, STEPS = 8 };

typedef struct sign {
    const char *name;
    int strokes;
    float point[MOST_STROKES][3][2]; /* start, control, end; x right, y down */
} sign;

static const sign signs[CLASSES] = {
    {"arch", 1, {{{0.1f, 0.9f}, {0.5f, -0.7f}, {0.9f, 0.9f}}}},
    {"bowl", 2, {{{0.1f, 0.2f}, {0.5f, 1.5f}, {0.9f, 0.2f}}, {{0.1f, 0.2f}, {0.5f, 0.2f}, {0.9f, 0.2f}}}},
    {"wedge", 2, {{{0.8f, 0.1f}, {0.5f, 0.3f}, {0.15f, 0.5f}}, {{0.15f, 0.5f}, {0.5f, 0.7f}, {0.8f, 0.9f}}}},
    {"fork",
     3,
     {{{0.5f, 0.95f}, {0.5f, 0.7f}, {0.5f, 0.5f}},
      {{0.5f, 0.5f}, {0.15f, 0.45f}, {0.15f, 0.05f}},
      {{0.5f, 0.5f}, {0.85f, 0.45f}, {0.85f, 0.05f}}}},
    {"cross", 2, {{{0.1f, 0.1f}, {0.5f, 0.5f}, {0.9f, 0.9f}}, {{0.9f, 0.1f}, {0.5f, 0.5f}, {0.1f, 0.9f}}}},
    {"gate",
     3,
     {{{0.2f, 0.1f}, {0.2f, 0.5f}, {0.2f, 0.9f}},
      {{0.8f, 0.1f}, {0.8f, 0.5f}, {0.8f, 0.9f}},
      {{0.2f, 0.5f}, {0.5f, 0.5f}, {0.8f, 0.5f}}}},
    {"hook", 2, {{{0.65f, 0.05f}, {0.65f, 0.4f}, {0.65f, 0.65f}}, {{0.65f, 0.65f}, {0.6f, 1.1f}, {0.15f, 0.7f}}}},
    {"ladder",
     3,
     {{{0.1f, 0.2f}, {0.5f, 0.2f}, {0.9f, 0.2f}},
      {{0.1f, 0.5f}, {0.5f, 0.5f}, {0.9f, 0.5f}},
      {{0.1f, 0.8f}, {0.5f, 0.8f}, {0.9f, 0.8f}}}},
    {"lens", 2, {{{0.1f, 0.5f}, {0.5f, -0.2f}, {0.9f, 0.5f}}, {{0.1f, 0.5f}, {0.5f, 1.2f}, {0.9f, 0.5f}}}},
    {"bolt",
     3,
     {{{0.2f, 0.1f}, {0.5f, 0.1f}, {0.8f, 0.1f}},
      {{0.8f, 0.1f}, {0.5f, 0.5f}, {0.2f, 0.9f}},
      {{0.2f, 0.9f}, {0.5f, 0.9f}, {0.8f, 0.9f}}}},
};

/* A unit-square point to pixels. */
typedef struct affine {
    float a, b, c, d, x, y;
} affine;

static affine draw_affine(tc_stream *stream) {
    const float turn = (float)tc_draw_between(stream, -0.3, 0.3), slant = (float)tc_draw_between(stream, -0.3, 0.3);
    const float wide = (float)tc_draw_between(stream, 14, 20), tall = (float)tc_draw_between(stream, 14, 20);
    const float co = cosf(turn), si = sinf(turn);
    affine m = {wide * co, tall * (slant * co - si), wide * si, tall * (slant * si + co), 0, 0};
    m.x = SIDE / 2.0f + (float)tc_draw_between(stream, -2, 2);
    m.y = SIDE / 2.0f + (float)tc_draw_between(stream, -2, 2);
    return m;
}

/* The curve as STEPS straight pieces: points [STEPS + 1][2] in pixels. */
static void place_stroke(const float p[3][2], const affine *m, tc_stream *stream, float (*path)[2]) {
    float q[3][2];
    for (int i = 0; i < 3; i++) {
        const float x = p[i][0] - 0.5f + (float)tc_draw_between(stream, -0.08, 0.08);
        const float y = p[i][1] - 0.5f + (float)tc_draw_between(stream, -0.08, 0.08);
        q[i][0] = m->a * x + m->b * y + m->x;
        q[i][1] = m->c * x + m->d * y + m->y;
    }
    for (int s = 0; s <= STEPS; s++) {
        const float t = (float)s / STEPS;
        for (int k = 0; k < 2; k++)
            path[s][k] = (1 - t) * (1 - t) * q[0][k] + 2 * t * (1 - t) * q[1][k] + t * t * q[2][k];
    }
}

/* Squared distance from (x, y) to the nearest piece of a path. */
static float to_path(float (*path)[2], float x, float y) {
    float nearest = SIDE * SIDE;
    for (int k = 0; k < STEPS; k++) {
        const float *a = path[k], *b = path[k + 1];
        const float ex = b[0] - a[0], ey = b[1] - a[1], wx = x - a[0], wy = y - a[1];
        float along = (wx * ex + wy * ey) / (ex * ex + ey * ey + 1e-12f);
        along = along < 0 ? 0 : along > 1 ? 1 : along;
        const float dx = wx - along * ex, dy = wy - along * ey, here = dx * dx + dy * dy;
        nearest = here < nearest ? here : nearest;
    }
    return nearest;
}

static void draw_glyph(tc_stream stream, int class, uint8_t *image /* [SIDE][SIDE] */) {
    const sign *s = &signs[class];
    float path[MOST_STROKES][STEPS + 1][2] = {{{0}}};
    const affine m = draw_affine(&stream);
    for (int i = 0; i < s->strokes; i++) place_stroke(s->point[i], &m, &stream, path[i]);
    const float half = (float)tc_draw_between(&stream, 0.8, 1.9), ink = (float)tc_draw_between(&stream, 150, 255);
    const float paper = (float)tc_draw_between(&stream, 0, 40), noise = (float)tc_draw_between(&stream, 2, 18);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            float nearest = SIDE * SIDE;
            for (int i = 0; i < s->strokes; i++) {
                const float here = to_path(path[i], (float)x + 0.5f, (float)y + 0.5f);
                nearest = here < nearest ? here : nearest;
            }
            float cover = half + 0.5f - sqrtf(nearest);
            cover = cover < 0 ? 0 : cover > 1 ? 1 : cover;
            image[y * SIDE + x] = (uint8_t)lrintf(paper + cover * (ink - paper));
        }
    tc_add_noise(stream, noise, SIDE * SIDE, image);
}

tc_status tc_make_glyphs(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    (void)path;
    const char *names[CLASSES];
    for (int i = 0; i < CLASSES; i++) names[i] = signs[i].name;
    const tc_generator generator = {"glyphs", SIDE, 1, CLASSES, names, draw_glyph};
    return tc_generate(&generator, options, dataset, error);
}

/* shapes.c — `shapes10`: ten classes of shapes and textures, 32×32 RGB, generated.
 *
 * The set that everything runs on before anybody has brought data. What makes a class is form alone: both colours,
 * the shading, place, size, rotation, proportions and noise are drawn anew for every image, so neither a colour nor a
 * pixel gives a class away, while a small convolutional network learns it in seconds.
 *
 * Every form is a signed distance (negative inside); a pixel is covered by as much as the distance, in pixels, leaves
 * of it. That is anti-aliasing for the price of one subtraction. */
#include "data/generate.h"

#include <math.h>

enum { SIDE = 32, CHANNELS = 3, CLASSES = 10, MOST_CORNERS = 12 };

typedef struct form {
    float shape[3];                /* proportions, each uniform on [0, 1] */
    int corners;                   /* of a polygon */
    float corner[MOST_CORNERS][2]; /* [corners], around the centre, radius about 1 */
} form;

typedef float (*distance)(const form *f, float x, float y);

static float clampf(float x, float low, float high) {
    return x < low ? low : x > high ? high : x;
}

/* ---- distances; the unit is the form's radius, or the texture's period ---- */

static float disc(const form *f, float x, float y) {
    const float squash = 0.85f + 0.15f * f->shape[0];
    return hypotf(x, y / squash) - 1;
}

static float ring(const form *f, float x, float y) {
    const float thick = 0.16f + 0.12f * f->shape[0];
    return fabsf(hypotf(x, y) - (1 - thick)) - thick;
}

static float crescent(const form *f, float x, float y) {
    const float shift = 0.45f + 0.2f * f->shape[0];
    return fmaxf(hypotf(x, y) - 1, 0.85f - hypotf(x - shift, y));
}

/* To the nearest edge; inside where a ray crosses an odd number of them. */
static float polygon(const form *f, float x, float y) {
    float nearest = INFINITY;
    bool inside = false;
    for (int i = 0, j = f->corners - 1; i < f->corners; j = i++) {
        const float *a = f->corner[i], *b = f->corner[j];
        const float ex = b[0] - a[0], ey = b[1] - a[1], wx = x - a[0], wy = y - a[1];
        const float along = clampf((wx * ex + wy * ey) / (ex * ex + ey * ey), 0, 1);
        const float dx = wx - along * ex, dy = wy - along * ey;
        nearest = fminf(nearest, dx * dx + dy * dy);
        if ((a[1] > y) != (b[1] > y) && wx < ex * wy / ey) inside = !inside;
    }
    return inside ? -sqrtf(nearest) : sqrtf(nearest);
}

static float wave(float x) { /* distance to the nearest whole number, 0 … 0.5 */
    return fabsf(x - rintf(x));
}

static float stripes(const form *f, float x, float y) {
    (void)y;
    return wave(x) - (0.2f + 0.1f * f->shape[0]);
}

static float checkers(const form *f, float x, float y) {
    (void)f;
    const float a = wave(x / 1.5f) - 0.25f, b = wave(y / 1.5f) - 0.25f;
    return (a < 0) == (b < 0) ? fminf(fabsf(a), fabsf(b)) * 1.5f : -fminf(fabsf(a), fabsf(b)) * 1.5f;
}

static float dots(const form *f, float x, float y) {
    const float row = rintf(y);
    return hypotf(wave(x + (fmodf(fabsf(row), 2) < 1 ? 0 : 0.5f)), y - row) - (0.26f + 0.08f * f->shape[0]);
}

/* ---- polygons ---- */

/* Alternating radii 1 and `inner`; inner == 1: a regular polygon. */
static void make_star(form *f, int corners, float inner) {
    f->corners = corners;
    for (int i = 0; i < corners; i++) {
        const float radius = i & 1 ? inner : 1, angle = 6.2831853f * (float)i / (float)corners;
        f->corner[i][0] = radius * cosf(angle);
        f->corner[i][1] = radius * sinf(angle);
    }
}

static void triangle(form *f) {
    make_star(f, 3, 1);
    for (int i = 0; i < 3; i++) f->corner[i][1] *= 0.8f + 0.4f * f->shape[0];
}

static void square(form *f) {
    make_star(f, 4, 1);
    const float stretch = 0.12f * (f->shape[0] - 0.5f); /* along the diagonals: a slight rhombus */
    for (int i = 0; i < 4; i++) f->corner[i][i & 1] *= 1 + (i & 1 ? stretch : -stretch);
}

static void star(form *f) {
    make_star(f, 10, 0.38f + 0.1f * f->shape[0]);
}

static void cross(form *f) {
    static const signed char turn[12][2] = {{1, 2},   {1, 1},   {2, 1},   {2, -1}, {1, -1}, {1, -2},
                                            {-1, -2}, {-1, -1}, {-2, -1}, {-2, 1}, {-1, 1}, {-1, 2}};
    const float arm = 0.2f + 0.14f * f->shape[0];
    f->corners = 12;
    for (int i = 0; i < 12; i++)
        for (int k = 0; k < 2; k++) {
            const float size = turn[i][k] == 2 || turn[i][k] == -2 ? 1 : arm;
            f->corner[i][k] = turn[i][k] < 0 ? -size : size;
        }
}

static const struct {
    const char *name;
    distance from;
    void (*corners)(form *f);
    bool texture; /* fills the image; the unit is a period of some pixels */
} kinds[CLASSES] = {
    {"disc", disc, NULL, false},         {"ring", ring, NULL, false},
    {"crescent", crescent, NULL, false}, {"triangle", polygon, triangle, false},
    {"square", polygon, square, false},  {"star", polygon, star, false},
    {"cross", polygon, cross, false},    {"stripes", stripes, NULL, true},
    {"checkers", checkers, NULL, true},  {"dots", dots, NULL, true},
};

/* ---- one image ---- */

typedef struct paint {
    float colour[CHANNELS], slope[CHANNELS][2]; /* in the middle, and its change a pixel */
} paint;

static paint draw_paint(tc_stream *stream) {
    paint p;
    for (int c = 0; c < CHANNELS; c++) {
        p.colour[c] = (float)tc_draw_between(stream, 25, 230);
        for (int k = 0; k < 2; k++) p.slope[c][k] = (float)tc_draw_between(stream, -1, 1);
    }
    return p;
}

/* Two colours that can be told apart, drawn until they are. */
static void draw_paints(tc_stream *stream, paint pair[2]) {
    float apart;
    do {
        apart = 0;
        for (int i = 0; i < 2; i++) pair[i] = draw_paint(stream);
        for (int c = 0; c < CHANNELS; c++) apart += fabsf(pair[0].colour[c] - pair[1].colour[c]);
    } while (apart < 150);
}

static void draw_shape(tc_stream stream, int class, uint8_t *image /* [SIDE][SIDE][CHANNELS] */) {
    form f = {{0}, 0, {{0}}};
    paint paints[2];
    for (int i = 0; i < 3; i++) f.shape[i] = (float)tc_draw_uniform(&stream);
    if (kinds[class].corners) kinds[class].corners(&f);
    draw_paints(&stream, paints);
    const float turn = (float)tc_draw_between(&stream, 0, 6.283185307179586), co = cosf(turn), si = sinf(turn);
    const float unit =
        (float)(kinds[class].texture ? tc_draw_between(&stream, 6, 10) : tc_draw_between(&stream, 8, 13));
    const float reach = kinds[class].texture ? SIDE / 2.0f : 15 - unit; /* a shape stays within the image, nearly */
    const float cx = SIDE / 2.0f + reach * (float)tc_draw_between(&stream, -1, 1);
    const float cy = SIDE / 2.0f + reach * (float)tc_draw_between(&stream, -1, 1);
    const float noise = (float)tc_draw_between(&stream, 3, 14);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const float u = ((float)x + 0.5f - cx) / unit, v = ((float)y + 0.5f - cy) / unit;
            const float d = kinds[class].from(&f, co * u + si * v, co * v - si * u) * unit;
            const float cover = clampf(0.5f - d, 0, 1);
            for (int c = 0; c < CHANNELS; c++) {
                float value[2];
                for (int i = 0; i < 2; i++)
                    value[i] = paints[i].colour[c] + paints[i].slope[c][0] * (float)(x - SIDE / 2) +
                               paints[i].slope[c][1] * (float)(y - SIDE / 2);
                image[(y * SIDE + x) * CHANNELS + c] =
                    (uint8_t)lrintf(clampf(value[0] + cover * (value[1] - value[0]), 0, 255));
            }
        }
    tc_add_noise(stream, noise, SIDE * SIDE * CHANNELS, image);
}

tc_status tc_make_shapes(const char *path, const tc_dataset_options *options, tc_dataset *dataset, tc_error *error) {
    (void)path;
    const char *names[CLASSES];
    for (int i = 0; i < CLASSES; i++) names[i] = kinds[i].name;
    const tc_generator generator = {"shapes10", SIDE, CHANNELS, CLASSES, names, draw_shape};
    return tc_generate(&generator, options, dataset, error);
}

/* Channels, layouts and masks: every element is found where its index says. */
#include "testing.h"

#include "geometries.h"

static const struct {
    int n, h, w, c, block, abreast;
} shapes[] = {{2, 3, 5, 6, 0, 0},  {2, 3, 5, 48, 8, 0},  {1, 4, 4, 32, 16, 0},
              {5, 1, 1, 7, 0, 0},  {40, 9, 9, 16, 8, 0}, {3, 2, 2, 130, 0, 0},
              {6, 27, 1, 1, 0, 0}, {2, 3, 4, 5, 1, 0},   {32, 3, 4, 6, 1, 16}};
enum { SHAPES = sizeof shapes / sizeof *shapes, PANELS = SHAPES - 1 /* the last has images abreast */ };

static tc_shape shape_at(int i) {
    tc_shape s = shape_of(shapes[i].n, shapes[i].h, shapes[i].w, shapes[i].c, shapes[i].block);
    s.abreast = shapes[i].abreast;
    return s;
}

/* The batch may be filled up with images that nobody reads and that get zeros back. */
static void test_filled_up(void **state) {
    (void)state;
    const tc_shape s = {.n = 5, .h = 3, .w = 4, .c = 6, .block = 1, .abreast = 4};
    const size_t rows = 5 * 3 * 4 * 6, count = tc_shape_count(s);
    assert_int_equal(count, 8 * 3 * 4 * 6);
    const double *y = noise(rows);
    double *x = garbage(count), *back = garbage(rows), total = 0, expected = 0;
    on.k->unflatten(on.device, s, tc_one(y), x);
    on.k->flatten(on.device, s, x, back);
    assert_memory_equal(back, y, rows * sizeof *back);
    for (size_t i = 0; i < count; i++) total += fabs(x[i]);
    for (size_t i = 0; i < rows; i++) expected += fabs(y[i]);
    numbers_agree(total, expected, 1e-14, "what fills up");
}

/* Element number e in NHWC order: its coordinates, and from them its place in s. */
typedef struct element {
    int n, y, x, c;
} element;

static element element_of(tc_shape s, size_t e) {
    const size_t c = (size_t)s.c, w = (size_t)s.w, h = (size_t)s.h;
    return (element){(int)(e / c / w / h), (int)(e / c / w % h), (int)(e / c % w), (int)(e % c)};
}

static size_t place(tc_shape s, element e) {
    return tc_shape_index(s, e.n, e.y, e.x, e.c);
}

static void test_to_and_from(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        const tc_shape s = shape_at(i);
        const size_t count = tc_shape_count(s);
        const double *nhwc = noise(count);
        double *x = garbage(count), *back = garbage(count), *rows = garbage(count), *sum = garbage(count);
        on.k->to_layout(on.device, s, nhwc, x);
        on.k->from_layout(on.device, s, x, back);
        assert_memory_equal(back, nhwc, count * sizeof *back);
        on.k->flatten(on.device, s, x, rows);
        for (size_t e = 0; e < count; e++) {
            const element at = element_of(s, e);
            assert_true(x[place(s, at)] == nhwc[e]);
            assert_true(rows[((at.n * s.c + at.c) * s.h + at.y) * s.w + at.x] == nhwc[e]);
        }
        on.k->unflatten(on.device, s, tc_one(rows), back);
        assert_memory_equal(back, x, count * sizeof *back);
        on.k->unflatten(on.device, s, (tc_sum){3, {rows, rows, rows}}, sum);
        agree(count, sum, moved(count, x, 2, x), 1e-15, "unflatten of a sum");
    }
}

static void test_concat_and_slice(void **state) {
    (void)state;
    static const int cases[][5] = {/* c of the part, at, c of the whole, block of the part, block of the whole */
                                   {3, 2, 7, 0, 0},
                                   {16, 8, 32, 8, 8},
                                   {16, 16, 32, 0, 8},
                                   {5, 6, 16, 0, 8},
                                   {24, 0, 48, 8, 16}};
    for (int i = 0; i < 5; i++) {
        const tc_shape part = shape_of(2, 3, 3, cases[i][0], cases[i][3]),
                       whole = shape_of(2, 3, 3, cases[i][2], cases[i][4]);
        const int at = cases[i][1];
        const size_t few = tc_shape_count(part), many = tc_shape_count(whole);
        const double *x = noise(few), *before = noise(many), *second = noise(many);
        double *y = copied(many, before), *back = garbage(few);
        on.k->concat(on.device, part, whole, at, x, y);
        for (size_t e = 0; e < many; e++) {
            element w = element_of(whole, e);
            const size_t to = place(whole, w);
            const bool inside = w.c >= at && w.c < at + part.c;
            w.c -= at;
            assert_true(y[to] == (inside ? x[place(part, w)] : before[to]));
        }
        on.k->slice(on.device, whole, part, at, tc_one(y), back);
        assert_memory_equal(back, x, few * sizeof *back);
        on.k->slice(on.device, whole, part, at, (tc_sum){2, {before, second}}, back);
        for (size_t e = 0; e < few; e++) {
            element w = element_of(part, e);
            const double got = back[place(part, w)];
            w.c += at;
            assert_true(got == before[place(whole, w)] + second[place(whole, w)]);
        }
    }
}

static void test_channels(void **state) {
    (void)state;
    for (int i = 0; i < PANELS; i++) {
        const tc_shape s = shape_at(i);
        const size_t count = tc_shape_count(s), c = (size_t)s.c;
        const double *x = noise(count), *bias = noise(c);
        double *y = copied(count, x), *sums = garbage(c), *expected = reals(c);
        on.k->channel_add(on.device, s, bias, y);
        for (size_t e = 0; e < count; e++) {
            const element at = element_of(s, e);
            assert_true(y[place(s, at)] == x[place(s, at)] + bias[at.c]);
            expected[at.c] += x[place(s, at)];
        }
        on.k->channel_sums(on.device, s, x, sums, false);
        agree(c, sums, expected, 1e-12, "channel sums");
        on.k->channel_sums(on.device, s, x, sums, true);
        agree(c, sums, moved(c, expected, 1, expected), 1e-12, "accumulated");
    }
}

/* y = x ⊙ s and its two adjoints: ⟨y, u⟩ = ⟨x, u ⊙ s⟩ = ⟨s, Σ x u⟩. */
static void test_scale(void **state) {
    (void)state;
    for (int i = 0; i < PANELS; i++) {
        const tc_shape shape = shape_at(i);
        const size_t count = tc_shape_count(shape), few = (size_t)shape.n * (size_t)shape.c;
        const double *x = noise(count), *s = noise(few), *u = noise(count), *start = noise(count);
        double *y = garbage(count), *ds = garbage(few), *more = copied(count, start);
        on.k->scale(on.device, shape, x, s, y, false);
        for (size_t e = 0; e < count; e++) {
            const element at = element_of(shape, e);
            assert_true(y[place(shape, at)] == x[place(shape, at)] * s[at.n * shape.c + at.c]);
        }
        on.k->scale(on.device, shape, x, s, more, true);
        agree(count, more, moved(count, start, 1, y), 1e-14, "scale and add");
        on.k->scale_reduce(on.device, shape, x, u, ds, false);
        numbers_agree(inner(few, s, ds), inner(count, y, u), 1e-12, "scale_reduce");
        double *twice = copied(few, ds);
        on.k->scale_reduce(on.device, shape, x, u, twice, true);
        agree(few, twice, moved(few, ds, 1, ds), 1e-13, "reduce and add");
    }
}

static void draw_mask(tc_shape shape, double rate, tc_stream stream, double *mask) {
    on.k->dropout_mask(on.device, shape, &(tc_dropout){.rate = rate, .stream = stream}, mask);
}

static void test_dropout(void **state) {
    (void)state;
    const tc_stream stream = tc_stream_child(tc_stream_make(5), "dropout", 1);
    const tc_shape plain = tc_nhwc(20, 8, 8, 16), panels = shape_of(20, 8, 8, 16, 8);
    const size_t count = tc_shape_count(plain);
    double *a = garbage(count), *b = garbage(count), *back = garbage(count), kept = 0;
    draw_mask(plain, 0.3, stream, a);
    for (size_t e = 0; e < count; e++) {
        assert_true(a[e] == (tc_uniform_at(stream, e) < 0.3 ? 0 : 1 / 0.7));
        kept += (a[e] != 0) / (double)count;
    }
    assert_true(fabs(kept - 0.7) < 5 * sqrt(0.21 / (double)count));
    draw_mask(panels, 0.3, stream, b); /* the same mask whatever the layout */
    on.k->from_layout(on.device, panels, b, back);
    assert_memory_equal(back, a, count * sizeof *a);
    draw_mask(plain, 0, stream, a);
    for (size_t e = 0; e < count; e++) assert_true(a[e] == 1);
    draw_mask(plain, 1, stream, a);
    for (size_t e = 0; e < count; e++) assert_true(a[e] == 0);
}

/* A stream that only the device knows. */
static void test_dropout_at_its_pace(void **state) {
    (void)state;
    const tc_stream parent = tc_stream_child(tc_stream_make(5), "dropout", 7);
    const tc_pace pace = {.dropout = parent.key};
    const tc_shape shape = tc_nhwc(5, 4, 4, 8);
    const size_t count = tc_shape_count(shape);
    double *given = garbage(count), *found = garbage(count);
    draw_mask(shape, 0.4, tc_stream_child(parent, "layer", 3), given);
    on.k->dropout_mask(on.device, shape, &(tc_dropout){.rate = 0.4, .pace = &pace, .layer = 3}, found);
    assert_memory_equal(given, found, count * sizeof *given);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_TEST(test_to_and_from),
        KERNEL_TEST(test_filled_up),
        KERNEL_TEST(test_concat_and_slice),
        KERNEL_TEST(test_channels),
        KERNEL_TEST(test_scale),
        KERNEL_TEST(test_dropout),
        KERNEL_TEST(test_dropout_at_its_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Steps that find on the device what is new in them, and count there, against the same done by hand. */
#include "pairs.h"

enum { IMAGES = 40, BATCH = 16, STEPS = 3, CLASSES = 37 };

static void expect(int d, pair b, const void *expected, size_t size, const char *what) {
    char *here = malloc(size);
    assert_non_null(here);
    ON(d, download_bytes, here, b.at[d], size);
    if (memcmp(here, expected, size)) fail_msg("%s on %s", what, device[d]->name);
    free(here);
}

/* Each step fetches its own part of the epoch; the last is smaller, and leaves alone what is not its own. */
static void steps_fetch_their_own(void **state) {
    (void)state;
    uint32_t order[IMAGES], index[BATCH] = {0};
    int32_t answers[IMAGES], labels[BATCH] = {0};
    tc_warp warps[IMAGES], warp[BATCH] = {0};
    tc_pace paces[STEPS];
    for (int i = 0; i < IMAGES; i++) {
        order[i] = (uint32_t)(i * 7 % IMAGES);
        answers[i] = i * i % 11;
        warps[i] = (tc_warp){(float)i, (float)-i, i % 2};
    }
    for (int i = 0; i < STEPS; i++)
        paces[i] = (tc_pace){0.1 * i, 1 + i, 2 + i, 3 + i, (uint64_t)i << 40 | 5, (uint64_t)i + 9};
    for (int with = 0; with < 2; with++) {
        const pair o = raw(order, sizeof order), a = raw(answers, sizeof answers), w = raw(warps, sizeof warps),
                   p = raw(paces, sizeof paces), c = raw(NULL, sizeof(tc_count)), own_index = raw(NULL, sizeof index),
                   own_warp = raw(NULL, sizeof warp), own_pace = raw(NULL, sizeof *paces),
                   own_labels = raw(NULL, sizeof labels);
        for (int step = 0; step < STEPS; step++) {
            const int from = step * BATCH, n = IMAGES - from < BATCH ? IMAGES - from : BATCH;
            const tc_count count = {.steps = step};
            for (int i = 0; i < n; i++) {
                index[i] = order[from + i];
                labels[i] = answers[order[from + i]];
                if (with) warp[i] = warps[from + i];
            }
            BOTH(d) {
                const tc_walk walk = {BATCH,   a.at[d],         o.at[d],        with ? w.at[d] : NULL, p.at[d],
                                      c.at[d], own_index.at[d], own_warp.at[d], own_pace.at[d]};
                ON(d, upload_bytes, c.at[d], &count, sizeof count);
                ON(d, next_step, &walk, n, own_labels.at[d]);
                expect(d, own_index, index, sizeof index, "index");
                expect(d, own_labels, labels, sizeof labels, "labels");
                expect(d, own_warp, warp, sizeof warp, "warp");
                expect(d, own_pace, &paces[step], sizeof *paces, "pace");
                expect(d, c, &count, sizeof count, "count");
            }
        }
        memset(warp, 0, sizeof warp);
    }
}

/* The count after two batches: loss as the host would have added it, to the last bit; of equal logits the first wins.
 */
static void the_count_is_the_hosts(void **state) {
    (void)state;
    static const int sizes[] = {1, 7, 300}, classes[] = {2, 10, CLASSES};
    for (int s = 0; s < 3; s++) {
        const int n = sizes[s], k = classes[s];
        const size_t count = (size_t)n * (size_t)k;
        const pair logits = noise(count), losses = filled((size_t)n, 0, 3);
        float *z = malloc(count * sizeof *z);
        int32_t *answers = malloc((size_t)n * sizeof *answers);
        const tc_count start = {.steps = 4, .correct = 11, .loss = 0.7};
        int64_t right = 0;
        assert_true(z && answers);
        ON(REFERENCE, download_float, z, logits.at[REFERENCE], count);
        for (int i = 0; i < n; i++) {
            float *row = z + (size_t)i * (size_t)k;
            int best = 0;
            if (i % 3 == 0) row[k - 1] = row[0] = 9; /* equal */
            for (int c = 1; c < k; c++)
                if (row[c] > row[best]) best = c;
            answers[i] = i % 4 == 1 ? (best + 1) % k : best;
            right += answers[i] == best;
        }
        const pair labels = raw(answers, (size_t)n * sizeof *answers), counts = raw(&start, sizeof start);
        BOTH(d) {
            tc_count expected = start, found;
            ON(d, upload_float, logits.at[d], z, count);
            const tc_loss loss = {.n = n, .classes = k, .logits = logits.at[d], .labels = labels.at[d]};
            for (int twice = 0; twice < 2; twice++) {
                const volatile double part = ON(d, sum, (size_t)n, losses.at[d]) / n * n; /* rounded by itself */
                ON(d, tally, &loss, losses.at[d], counts.at[d]);
                expected.loss += part;
                expected.correct += right;
                expected.steps++;
            }
            ON(d, download_bytes, &found, counts.at[d], sizeof found);
            assert_int_equal(found.steps, expected.steps);
            assert_int_equal(found.correct, expected.correct);
            assert_memory_equal(&found.loss, &expected.loss, sizeof found.loss);
        }
        free(z);
        free(answers);
    }
}

/* Optimisers and dropout that find their numbers on the device do as with the same numbers given. */
static void numbers_may_lie_on_the_device(void **state) {
    (void)state;
    enum { N = 1001 };
    const pair g = noise(N), theta = noise(N), m = empty(N), v = empty(N), mask = garbage(N);
    const pair theta2 = copied(theta), m2 = empty(N), v2 = empty(N), mask2 = garbage(N);
    const tc_stream parent = tc_stream_make(77);
    for (int kind = 0; kind < 4; kind++) {
        tc_sgd sgd = {.rate = 0.3, .momentum = kind * 0.3, .weight_decay = 1e-3, .nesterov = kind > 1};
        tc_adam adam = {0.01, 0.9, 0.99, 1e-6, 0.1, (kind & 1) != 0, (kind & 2) != 0, kind + 1, NULL};
        tc_pace pace = tc_adam_pace(&adam);
        pace.dropout = parent.key;
        const pair paces[] = {raw(&pace, sizeof pace), raw(&(tc_pace){.rate = sgd.rate}, sizeof pace)};
        BOTH(d) {
            tc_dropout dropout = {.rate = 0.3, .stream = tc_stream_child(parent, "layer", 5)};
            ON(d, adam_step, N, &adam, g.at[d], m.at[d], v.at[d], theta.at[d]);
            ON(d, sgd_step, N, &sgd, g.at[d], m.at[d], theta.at[d]);
            ON(d, dropout_mask, tc_nhwc(1, 7, 11, 13), &dropout, mask.at[d]);
            tc_adam found = {
                0, adam.beta1,    adam.beta2, adam.epsilon, adam.weight_decay, adam.decoupled, adam.signed_gradient,
                0, paces[0].at[d]};
            tc_sgd paced = sgd;
            paced.rate = 0;
            paced.pace = paces[1].at[d];
            dropout = (tc_dropout){.rate = 0.3, .pace = paces[0].at[d], .layer = 5};
            ON(d, adam_step, N, &found, g.at[d], m2.at[d], v2.at[d], theta2.at[d]);
            ON(d, sgd_step, N, &paced, g.at[d], m2.at[d], theta2.at[d]);
            ON(d, dropout_mask, tc_nhwc(1, 7, 11, 13), &dropout, mask2.at[d]);
            const pair given[] = {theta, m, v, mask}, there[] = {theta2, m2, v2, mask2};
            for (int i = 0; i < 4; i++) {
                double a[N], b[N];
                ON(d, download_double, a, given[i].at[d], N);
                ON(d, download_double, b, there[i].at[d], N);
                assert_memory_equal(a, b, sizeof a);
            }
        }
    }
    same(theta2, "steps at a pace");
    same(mask2, "dropout at a pace");
}

/* Of a table with so many bytes a sample, each step fetches its own, the last one fewer. */
static void steps_fetch_their_rows(void **state) {
    (void)state;
    enum { SIZE = 12 };
    uint8_t rows[IMAGES * SIZE], now[BATCH * SIZE] = {0};
    for (int i = 0; i < IMAGES * SIZE; i++) rows[i] = (uint8_t)(i * 37 + i / 256);
    const pair all = raw(rows, sizeof rows), part = raw(NULL, sizeof now), c = raw(NULL, sizeof(tc_count));
    for (int step = 0; step < STEPS; step++) {
        const int from = step * BATCH, n = IMAGES - from < BATCH ? IMAGES - from : BATCH;
        const tc_count count = {.steps = step};
        memcpy(now, rows + from * SIZE, (size_t)(n * SIZE));
        BOTH(d) {
            const tc_walk walk = {.batch = BATCH, .count = c.at[d]};
            ON(d, upload_bytes, c.at[d], &count, sizeof count);
            ON(d, next_rows, &walk, n, SIZE, all.at[d], part.at[d]);
            expect(d, part, now, sizeof now, "rows");
        }
    }
}

/* The loss of the count is let alone by numbers, and none any more after one that is none. */
static void what_is_no_number_is_noticed(void **state) {
    (void)state;
    enum { N = 300 };
    static const float wrong[] = {INFINITY, -INFINITY, NAN};
    const tc_count start = {.steps = 4, .correct = 11, .loss = 0.7};
    const pair counts = raw(&start, sizeof start);
    for (int w = -1; w < 3; w++) {
        const pair losses = filled(N, 0, 3);
        BOTH(d) {
            tc_count found;
            if (w >= 0) ON(d, upload_float, tc_at(device[d], losses.at[d], 17), wrong + w, 1);
            ON(d, upload_bytes, counts.at[d], &start, sizeof start);
            ON(d, watch, N, losses.at[d], counts.at[d]);
            ON(d, download_bytes, &found, counts.at[d], sizeof found);
            assert_int_equal(found.steps, start.steps);
            assert_int_equal(found.correct, start.correct);
            assert_true(w < 0 ? found.loss == start.loss : isnan(found.loss));
        }
    }
}

/* Noise from a key on the device is that of the stream the host would have named. */
static void noise_comes_from_the_pace(void **state) {
    (void)state;
    enum { N = 1001 };
    const tc_stream parent = tc_stream_make(77);
    const pair pace = raw(&(tc_pace){.variant = parent.key, .dropout = 5}, sizeof(tc_pace));
    const pair given = garbage(N), found = garbage(N);
    BOTH(d) {
        double a[N], b[N];
        ON(d, uniform, N, tc_stream_child(parent, "some purpose", 0), -3, 5, given.at[d]);
        ON(d, uniform_paced, N, pace.at[d], "some purpose", -3, 5, found.at[d]);
        ON(d, download_double, a, given.at[d], N);
        ON(d, download_double, b, found.at[d], N);
        assert_memory_equal(a, b, sizeof a);
    }
}

/* Against the sums that the host can ask for. */
static void lengths_stay_on_the_device(void **state) {
    (void)state;
    enum { N = 1003 };
    const pair zero = empty(N), t = noise(N), x = noise(N), y = garbage(N), u = garbage(N);
    for (int vanished = 0; vanished < 2; vanished++) {
        const pair g = vanished ? zero : noise(N);
        double direction[2][N], slope[N], target[N];
        BOTH(d) {
            double there[N], from[N], phi = 0.25;
            const double size = sqrt(ON(d, dot, N, g.at[d], g.at[d])), norm = sqrt(ON(d, dot, N, t.at[d], t.at[d]));
            const double along = ON(d, dot, N, t.at[d], g.at[d]);
            const pair total = raw(&phi, sizeof phi);
            ON(d, ascend, N, 0.3, g.at[d], x.at[d], y.at[d]);
            ON(d, download_double, there, y.at[d], N);
            ON(d, download_double, from, x.at[d], N);
            ON(d, download_double, slope, g.at[d], N);
            ON(d, download_double, target, t.at[d], N);
            for (int i = 0; i < N; i++)
                assert_float_equal(there[i], vanished ? from[i] : from[i] + 0.3 * slope[i] / size, 2e-6);
            ON(d, cosine, N, norm, t.at[d], g.at[d], NULL, total.at[d]);
            ON(d, cosine, N, norm, t.at[d], g.at[d], u.at[d], total.at[d]);
            ON(d, download_bytes, &phi, total.at[d], sizeof phi);
            ON(d, download_double, direction[d], u.at[d], N);
            const double expected = vanished ? 1 : 1 - along / (norm * size);
            assert_float_equal(phi, 0.25 + 2 * expected, 1e-12);
            for (int i = 0; i < N; i++) {
                const double here =
                    vanished ? 0 : -target[i] / (norm * size) + along / (norm * size * size * size) * slope[i];
                assert_float_equal(direction[d][i], here, 1e-7);
            }
        }
    }
}

/* A batch whose samples keep unequal shares of their own label, some with a partner of the same class. */
static void labels_are_blended(void **state) {
    (void)state;
    tc_target targets[IMAGES];
    int32_t answers[IMAGES];
    float expected[IMAGES * CLASSES] = {0};
    for (int i = 0; i < IMAGES; i++) {
        const float share = (float)(1 - 0.01 * i);
        targets[i] = (tc_target){{i * 5 % CLASSES, i % 4 ? i * 3 % CLASSES : i * 5 % CLASSES}, {share, 1 - share}};
        answers[i] = targets[i].label[0];
        expected[i * CLASSES + targets[i].label[0]] += share;
        expected[i * CLASSES + targets[i].label[1]] += 1 - share;
    }
    const pair t = raw(targets, sizeof targets), labels = raw(NULL, sizeof answers), soft = garbage(IMAGES * CLASSES);
    BOTH(d) {
        float found[IMAGES * CLASSES];
        ON(d, blend_labels, IMAGES, CLASSES, t.at[d], labels.at[d], soft.at[d]);
        ON(d, download_float, found, soft.at[d], IMAGES * CLASSES);
        assert_memory_equal(found, expected, sizeof found);
        expect(d, labels, answers, sizeof answers, "labels");
    }
}

/* What was recorded has not happened; each replay does it, with what lies at its places then. What cannot be recorded
 * is refused and leaves the device well. */
static void recordings_are_replayed(void **state) {
    (void)state;
    enum { N = 300 };
    tc_device *const fast = device[FAST];
    const tc_kernels *k = fast->k;
    const pair x = filled(N, 1, 2), y = empty(N);
    tc_error error;
    tc_recording *recording = NULL;
    double before[N], after[N];
    if (!k->record_begin) skip();
    assert_int_equal(k->record_begin(fast, &error), TC_OK);
    k->axpby(fast, N, 1, x.at[FAST], 2, y.at[FAST]);
    assert_int_equal(k->record_end(fast, &recording, &error), TC_OK);
    k->download_double(fast, after, y.at[FAST], N);
    for (int i = 0; i < N; i++) assert_true(after[i] == 0);
    k->download_double(fast, before, x.at[FAST], N);
    for (int times = 0; times < 40; times++) {
        if (times == 30) k->fill(fast, N, 0, y.at[FAST]);
        if (times == 30) k->axpby(fast, N, -1, x.at[FAST], 0, x.at[FAST]);
        k->replay(fast, recording);
    }
    k->download_double(fast, after, y.at[FAST], N);
    for (int i = 0; i < N; i++) assert_float_equal(after[i] / (-1023 * before[i]), 1, 1e-5);
    k->recording_free(fast, recording);

    for (int kind = 0; kind < 3; kind++) {
        void *memory = NULL;
        assert_int_equal(k->record_begin(fast, &error), TC_OK);
        k->fill(fast, N, 5, y.at[FAST]);
        if (kind == 0) assert_true(isnan(k->sum(fast, N, x.at[FAST]))); /* waits */
        if (kind == 1) k->upload_double(fast, y.at[FAST], before, N);
        if (kind == 2) assert_int_equal(k->allocate(fast, 8, &memory, &error), TC_FAILED);
        assert_int_equal(k->record_end(fast, &recording, &error), TC_FAILED);
        assert_null(recording);
        assert_non_null(strstr(error.message, "capturing"));
        assert_int_equal(tc_device_health(fast, &error), TC_OK);
    }
    k->download_double(fast, before, y.at[FAST], N);
    assert_memory_equal(before, after, sizeof before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(steps_fetch_their_own),         PAIR_TEST(the_count_is_the_hosts),
        PAIR_TEST(numbers_may_lie_on_the_device), PAIR_TEST(steps_fetch_their_rows),
        PAIR_TEST(what_is_no_number_is_noticed),  PAIR_TEST(noise_comes_from_the_pace),
        PAIR_TEST(lengths_stay_on_the_device),    PAIR_TEST(labels_are_blended),
        PAIR_TEST(recordings_are_replayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

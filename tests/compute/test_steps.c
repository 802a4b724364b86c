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
    for (int i = 0; i < STEPS; i++) paces[i] = (tc_pace){0.1 * i, 1 + i, 2 + i, 3 + i, (uint64_t)i << 40 | 5};
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
        PAIR_TEST(steps_fetch_their_own),
        PAIR_TEST(the_count_is_the_hosts),
        PAIR_TEST(numbers_may_lie_on_the_device),
        PAIR_TEST(recordings_are_replayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

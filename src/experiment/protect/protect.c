#include "experiment/protect/protect.h"

#include "base/log.h"
#include "evaluate/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMON_SIZE = 64 }; /* larger pictures are crafted on at this size: networks take the square of the time */

/* ---- crafting ---- */

/* The networks are for the album's own images. */
static tc_status open_lab(const tc_spec *spec, tc_dataset *dataset, const tc_trial_hooks *hooks, tc_lab *lab,
                          tc_error *error) {
    tc_status status = TC_OK;
    *lab = (tc_lab){.spec = spec, .dataset = dataset, .network = &spec->victims[0], .hooks = hooks};
    TC_TRY(tc_spec_check(spec, dataset, error));
    TC_TRY(tc_lab_build_surrogates(lab, error));
    TC_TRY(tc_spec_build(spec, lab->network, dataset, &lab->victim, error));
    TC_TRY(tc_spec_open_device(spec, &lab->device, error));
done:
    return status;
}

/* Not the dataset, which is the album's. */
static void close_lab(tc_lab *lab) {
    tc_lab_free_surrogates(lab);
    tc_model_free(lab->victim);
    tc_device_close(lab->device);
    *lab = (tc_lab){0};
}

static tc_status train_surrogates(tc_trial *trial, const tc_room *room, tc_error *error) {
    const tc_lab *lab = trial->lab;
    const int count = tc_spec_surrogates(lab->spec);
    tc_status status = tc_new(&trial->surrogates, (size_t)count, sizeof *trial->surrogates, error);
    for (int k = 0; k < count && status == TC_OK; k++) {
        tc_training training = {.role = TC_SURROGATE, .label = ""};
        char name[32];
        snprintf(name, sizeof name, "surrogate-%d", k);
        training.index = tc_spec_surrogate(lab->spec, k, &training.architecture);
        trial->surrogates[k].model = lab->surrogates[training.architecture];
        trial->surrogate_count = k + 1;
        status = tc_room_train(room, name, trial, &training, &trial->surrogates[k].weights, error);
    }
    return status;
}

static tc_status craft(tc_protection *p, const tc_lab *lab, const tc_room *room, tc_error *error) {
    tc_trial trial;
    tc_outcome outcome = {0};
    tc_status status = TC_OK;
    tc_trial_open(lab, 0, &trial);
    TC_TRY(tc_trial_draw(&trial, error));
    if (p->method->attack->needs_surrogate) TC_TRY(train_surrogates(&trial, room, error));
    TC_TRY(tc_room_craft(room, &trial, p->method, true, &outcome, error));
    p->craft_seconds = outcome.craft_seconds;
    p->poison = outcome.poison;
    outcome.poison = NULL;
done:
    tc_outcome_free(&outcome);
    tc_trial_end(&trial);
    return status;
}

/* ---- measuring ---- */

/* The album as somebody else would have it, who trains on what is not held: *dataset with the originals, *poison to lay
 * over them. */
static tc_status leave_out(const tc_protection *p, tc_dataset **dataset, tc_poison **poison, tc_error *error) {
    const tc_dataset *all = p->album.dataset;
    const size_t bytes = tc_dataset_image_bytes(all);
    size_t kept = 0, changed = 0, place = 0, next = 0;
    tc_dataset like = *all;
    tc_status status = TC_OK;
    for (size_t i = 0; i < p->album.count; i++) kept += !p->album.held[i];
    for (size_t i = 0; i < p->poison->replaced; i++) changed += !p->album.held[p->poison->index[i]];
    like.train = (tc_split){.count = kept};
    TC_TRY(tc_new(&like.train.images, kept, bytes, error));
    TC_TRY(tc_new(&like.train.labels, kept, sizeof *like.train.labels, error));
    TC_TRY(tc_poison_create(all, changed, 0, poison, error));
    changed = 0;
    for (size_t i = 0; i < p->album.count; i++) {
        const bool here = next < p->poison->replaced && p->poison->index[next] == i;
        if (!p->album.held[i] && here) {
            memcpy((*poison)->images + changed * bytes, p->poison->images + next * bytes, bytes);
            (*poison)->index[changed] = (uint32_t)place;
            (*poison)->labels[changed++] = p->album.label[i];
        }
        if (!p->album.held[i]) {
            memcpy(like.train.images + place * bytes, all->train.images + i * bytes, bytes);
            like.train.labels[place++] = p->album.label[i];
        }
        next += here;
    }
    TC_TRY(tc_dataset_create(all->name, &like, NULL, dataset, error));
done:
    free(like.train.images);
    free(like.train.labels);
    return status;
}

static tc_status accuracy_on(const tc_trial *trial, const tc_poison *poison, const tc_room *room, double *accuracy,
                             tc_error *error) {
    const tc_lab *lab = trial->lab;
    const tc_training training = {
        .role = TC_VICTIM, .label = poison ? "on the protected images" : "on the originals", .poison = poison};
    tc_weights weights = {0};
    tc_accuracy measured;
    tc_status status = TC_OK;
    TC_TRY(tc_room_train(room, poison ? "protected" : "originals", trial, &training, &weights, error));
    TC_TRY(tc_evaluate(lab->device, lab->victim, &weights, lab->dataset, &lab->dataset->test, &measured, error));
    *accuracy = measured.accuracy;
done:
    tc_weights_free(&weights);
    return status;
}

static tc_status measure(tc_protection *p, const tc_lab *lab, const tc_room *room, tc_error *error) {
    tc_lab own = *lab;
    tc_poison *poison = NULL;
    tc_trial trial;
    tc_status status = TC_OK;
    own.dataset = NULL;
    TC_TRY(leave_out(p, &own.dataset, &poison, error));
    tc_trial_open(&own, 0, &trial);
    TC_TRY(accuracy_on(&trial, NULL, room, &p->original, error));
    TC_TRY(accuracy_on(&trial, poison, room, &p->guarded, error));
    p->asked = own.dataset->test.count;
    p->measured = true;
done:
    tc_poison_free(poison);
    tc_dataset_free(own.dataset);
    return status;
}

/* ---- both ---- */

/* Whether it is measured afterwards changes nothing in the pictures. */
static tc_status open_room(tc_room *room, const tc_protection *p, int size, tc_error *error) {
    json_t *data = json_object(),
           *asked = json_pack("{s:s, s:o, s:i}", "command", "protect", "spec", tc_spec_json(p->spec), "size", size);
    tc_room_digest_data(data, "IMAGES", p->album.dataset);
    return tc_room_open(room, asked, data, error);
}

/* Before hours are spent, since it is the owner who knows whether they were to be protected. */
static void tell_left(const char *root, const tc_leftovers *left) {
    char text[TC_LEFT_TEXT];
    if (!left->count) return;
    tc_leftovers_tell(left, text);
    tc_log("%s: %s", root, text);
}

bool tc_protect_keeps_size(const tc_spec *spec) { /* in autoregressive noise each pixel follows from its neighbours */
    return spec->attacks[spec->control_added].attack == tc_attack_find("autoregressive");
}

tc_status tc_protect(const char *source, const tc_spec *spec, int size, bool measured, tc_room *room,
                     const tc_trial_hooks *hooks, tc_protection *p, tc_error *error) {
    const tc_method_spec *method = &spec->attacks[spec->control_added];
    const bool own = tc_protect_keeps_size(spec);
    tc_lab lab = {0};
    tc_status status = TC_OK;
    *p = (tc_protection){.spec = spec, .method = method};
    TC_TRY(tc_album_open(source, own ? 0 : size, own ? 0 : COMMON_SIZE, (uint64_t)spec->study.seed, &p->album, error));
    p->classes = (size_t)p->album.dataset->classes;
    TC_TRY(tc_protect_name(&p->album, &p->name, error));
    TC_TRY(open_lab(spec, p->album.dataset, hooks, &lab, error));
    TC_TRY(open_room(room, p, size, error));
    tell_left(p->album.root, &p->album.left);
    TC_TRY(craft(p, &lab, room, error));
    if (measured && p->album.dataset->test.count) TC_TRY(measure(p, &lab, room, error));
done:
    close_lab(&lab);
    if (status != TC_OK) tc_protection_free(p);
    return status;
}

void tc_protection_free(tc_protection *p) {
    tc_poison_free(p->poison);
    tc_protect_free_names(&p->album, &p->name);
    tc_album_free(&p->album);
    *p = (tc_protection){0};
}

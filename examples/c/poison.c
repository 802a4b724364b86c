/* poison.c — can one image of the built-in shapes be made to pass for another class, by changing 2 % of the training
 * set?
 *
 *     cc poison.c $(pkg-config --cflags --libs tocsin) -o poison && ./poison [SEED]
 */
#include <stdio.h>
#include <stdlib.h>
#include <tocsin/tocsin.h>

static tocsin_error error;

/* Any failure ends the program with the library's own line. */
static void must(tocsin_status status) {
    if (status == TOCSIN_OK) return;
    fprintf(stderr, "poison: %s\n", error.message);
    exit((int)status);
}

/* A new network, trained from its own initialisation on the data with `poison` (NULL: none) laid over it. */
static tocsin_model *train(tocsin_device *device, const tocsin_dataset *data, const tocsin_poison *poison,
                           uint64_t seed) {
    static const char *const training[] = {"epochs=15", "batch=20",   "rate=0.02", "schedule=cosine",
                                           "crop=1",    "flip=false", NULL};
    tocsin_model *model;
    must(tocsin_model_create_for("lenet", data, (const char *const[]){"width=8", NULL}, &model, &error));
    must(tocsin_model_initialise(model, seed, &error));
    must(tocsin_train(device, model, data, poison, training, seed, NULL, NULL, NULL, &error));
    return model;
}

int main(int count, char **argument) {
    static const char *const subset[] = {"train_per_class=100", "test_per_class=20", NULL};
    static const char *const limits[] = {"epsilon=16", "ratio=0.02", NULL};
    static const char *const sapa[] = {"sharpness=worst-case", "steps=60", "restarts=1", NULL};
    const uint64_t seed = count > 1 ? strtoull(argument[1], NULL, 10) : 1;
    tocsin_device *device;
    tocsin_dataset *data;
    tocsin_threat *threat;
    tocsin_poison *poison;
    double accuracy, success;
    int32_t seen;

    must(tocsin_device_open("cpu", 2, &device, &error));
    must(tocsin_dataset_open("shapes10", subset, &data, &error));
    must(tocsin_threat_draw(data, limits, seed, &threat, &error));
    tocsin_model *surrogate = train(device, data, NULL, seed + 1);
    must(tocsin_craft(device, data, threat, "gradient-matching", sapa, &surrogate, 1, seed, NULL, NULL, &poison, NULL,
                      &error));
    tocsin_model *victim = train(device, data, poison, seed + 2);
    must(tocsin_evaluate(device, victim, data, TOCSIN_TEST, &accuracy, NULL, &error));
    must(tocsin_success(device, victim, data, threat, &success, &seen, &error));

    printf("%zu images changed; the %s shall be taken for a %s and is taken for a %s: %s\n",
           tocsin_poison_replaced(poison), tocsin_dataset_class_name(data, tocsin_threat_target_class(threat)),
           tocsin_dataset_class_name(data, tocsin_threat_intended_class(threat)), tocsin_dataset_class_name(data, seen),
           success > 0 ? "flipped" : "held");
    printf("clean accuracy: %.1f %%\n", 100 * accuracy);
    tocsin_model_free(victim);
    tocsin_poison_free(poison);
    tocsin_model_free(surrogate);
    tocsin_threat_free(threat);
    tocsin_dataset_free(data);
    tocsin_device_close(device);
}

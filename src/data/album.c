#include "data/album.h"

#include "base/file.h"
#include "base/option.h"
#include "data/reader.h"

#include <stdlib.h>
#include <string.h>

enum { HELD_OUT = 5, FILE_LIMIT = 1 << 28 }; /* one image in five; bytes of one file */

/* ---- which files ---- */

typedef struct shelf {
    size_t count, room;
    char **file;
    int32_t *label;
} shelf;

static void free_shelf(shelf *s) {
    for (size_t i = 0; i < s->count; i++) free(s->file[i]);
    free(s->file);
    free(s->label);
    *s = (shelf){0};
}

static tc_status put_on(shelf *s, const char *file, int label, tc_error *error) {
    if (s->count == s->room) {
        const size_t room = s->room ? 2 * s->room : 1024;
        char **files = realloc(s->file, room * sizeof *files);
        if (files) s->file = files;
        int32_t *labels = files ? realloc(s->label, room * sizeof *labels) : NULL;
        if (!labels) return tc_raise(error, TC_FAILED, "%s: no memory for the listing; free some", file);
        s->label = labels;
        s->room = room;
    }
    char *copy = strdup(file);
    if (!copy) return tc_raise(error, TC_FAILED, "%s: no memory for the listing; free some", file);
    s->file[s->count] = copy;
    s->label[s->count++] = label;
    return TC_OK;
}

/* The pictures of one class, below root. */
static tc_status list_class(const char *root, const char *class, int label, shelf *s, tc_error *error) {
    char folder[TC_PATH_SIZE], file[TC_PATH_SIZE];
    tc_names names = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(folder, error, "%s/%s", root, class));
    TC_TRY(tc_folder_list(folder, false, &names, error));
    for (size_t i = 0; i < names.count; i++) {
        if (!tc_is_picture_name(names.name[i])) continue;
        TC_TRY(tc_path_format(file, error, "%s/%s", class, names.name[i]));
        TC_TRY(put_on(s, file, label, error));
    }
done:
    tc_names_free(&names);
    return status;
}

/* The pictures of the classes below root/part ("train/", "test/" or ""). Who guesses, and how many outputs a network
 * has, goes by the number of classes: one without pictures is none. `required`: every class must have some. */
static tc_status list_part(const char *root, const char *part, const tc_names *classes, bool required, shelf *s,
                           tc_error *error) {
    char class[TC_PATH_SIZE], folder[TC_PATH_SIZE];
    tc_status status = TC_OK;
    for (size_t c = 0; c < classes->count; c++) {
        const size_t before = s->count;
        TC_TRY(tc_path_format(class, error, "%s%s", part, classes->name[c]));
        TC_TRY(tc_path_format(folder, error, "%s/%s", root, class));
        if (required || tc_folder_exists(folder)) TC_TRY(list_class(root, class, (int)c, s, error));
        if (required && s->count == before)
            TC_RAISE(TC_INVALID, "%s: no .png or .jpg in it; fill the class or remove the folder", folder);
    }
done:
    return status;
}

/* ---- pixels ---- */

static tc_status load(const char *root, const char *file, int channels, tc_image *image, tc_error *error) {
    char path[TC_PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    tc_status status = TC_OK;
    *image = (tc_image){0};
    TC_TRY(tc_path_format(path, error, "%s/%s", root, file));
    TC_TRY(tc_file_read(path, FILE_LIMIT, &bytes, &size, error));
    if (!channels) TC_TRY(tc_image_check_opaque(bytes, size, path, error)); /* looked at before it is protected */
    TC_TRY(tc_image_decode(bytes, size, channels, path, image, error));
done:
    free(bytes);
    return status;
}

/* The size that all have (0 × 0: they differ), and whether any is coloured. */
static tc_status look_through(const char *root, const shelf *s, tc_dataset *like, tc_error *error) {
    tc_status status = TC_OK;
    like->channels = like->channels ? like->channels : 1;
    for (size_t i = 0; i < s->count; i++) {
        tc_image image;
        TC_TRY(load(root, s->file[i], 0, &image, error));
        free(image.pixels);
        if (image.channels > like->channels) like->channels = image.channels;
        if (i == 0) {
            like->height = image.height;
            like->width = image.width;
        } else if (like->height != image.height || like->width != image.width) {
            like->height = like->width = 0;
        }
    }
done:
    return status;
}

static tc_status fill(const char *root, const shelf *s, const tc_dataset *like, tc_split *split, tc_error *error) {
    const size_t bytes = tc_dataset_image_bytes(like);
    tc_status status = tc_split_allocate(like, split, s->count, error);
    if (!split->images || !split->labels) return status;
    for (size_t i = 0; i < s->count && status == TC_OK; i++) {
        tc_image image, slot = {like->height, like->width, like->channels, split->images + i * bytes};
        split->labels[i] = s->label[i];
        status = load(root, s->file[i], like->channels, &image, error);
        if (status == TC_OK) status = tc_image_resize(&image, &slot, error);
        free(image.pixels);
    }
    return status;
}

/* ---- what is asked about ---- */

/* held := a seeded fifth of every class, at least one image of those that have two. */
static tc_status hold(tc_album *album, int classes, uint64_t seed, tc_error *error) {
    tc_status status = TC_OK;
    uint32_t *order = NULL;
    size_t held = 0;
    TC_TRY(tc_new(&order, album->count, sizeof *order, error));
    for (int c = 0; c < classes; c++) {
        size_t count = 0, seen = 0;
        for (size_t i = 0; i < album->count; i++) count += album->label[i] == c;
        const size_t wanted = count / HELD_OUT ? count / HELD_OUT : count > 1;
        tc_stream stream = tc_stream_child(tc_stream_make(seed), "hold out", (uint64_t)c);
        tc_draw_permutation(&stream, order, count);
        for (size_t i = 0; i < album->count; i++)
            if (album->label[i] == c) album->held[i] = order[seen++] < wanted;
        held += wanted;
    }
    if (!held)
        TC_RAISE(TC_INVALID, "%s: one picture a class, too few to hold any out to test on; give at least one class two",
                 album->root);
done:
    free(order);
    return status;
}

static tc_status copy_held(const tc_album *album, tc_dataset *like, tc_error *error) {
    const size_t bytes = tc_dataset_image_bytes(like);
    size_t count = 0;
    for (size_t i = 0; i < album->count; i++) count += album->held[i];
    const tc_status status = tc_split_allocate(like, &like->test, count, error);
    if (!like->test.images || !like->test.labels) return status;
    count = 0;
    for (size_t i = 0; i < album->count; i++) {
        if (!album->held[i]) continue;
        memcpy(like->test.images + count * bytes, like->train.images + i * bytes, bytes);
        like->test.labels[count++] = album->label[i];
    }
    return status;
}

/* ---- a folder ---- */

static tc_status choose_size(const char *source, int size, int most, tc_album *album, tc_dataset *like,
                             tc_error *error) {
    const bool differ = !like->height;
    const int larger = like->height > like->width ? like->height : like->width;
    if (differ && !size && !most)
        return tc_raise(error, TC_INVALID,
                        "%s: pictures of different sizes, and this noise does not survive resizing; bring them to one "
                        "size first, or choose another method",
                        source);
    if (!size && !differ && (!most || larger <= most)) return TC_OK;
    const int side = size ? size : most;
    album->resized = differ || like->height != side || like->width != side;
    like->height = like->width = side;
    return TC_OK;
}

/* Classes of train/ alone, where what a network is asked about is to be in test/. */
static tc_status check_split(const char *root, const char *train, bool split, tc_error *error) {
    tc_names within = {0};
    tc_status status = TC_OK;
    if (split || !tc_folder_exists(train)) return TC_OK; /* a class may be of trains */
    TC_TRY(tc_folder_list(train, true, &within, error));
    if (within.count)
        TC_RAISE(TC_INVALID, "%s: train/ without test/; add it, or move the classes up to have a fifth held out", root);
done:
    tc_names_free(&within);
    return status;
}

/* What the folder has: the classes, the pictures to protect, and those of test/, if it has one. */
static tc_status list_folder(const char *root, tc_names *classes, shelf *taught, shelf *asked, bool *split,
                             tc_error *error) {
    char train[TC_PATH_SIZE], test[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(train, error, "%s/train", root));
    TC_TRY(tc_path_format(test, error, "%s/test", root));
    *split = tc_folder_exists(train) && tc_folder_exists(test);
    TC_TRY(check_split(root, train, *split, error));
    TC_TRY(tc_folder_list(*split ? train : root, true, classes, error));
    if (classes->count < 2)
        TC_RAISE(TC_INVALID, "%s: %zu folder%s in it; a folder a class and at least two are needed",
                 *split ? train : root, classes->count, classes->count == 1 ? "" : "s");
    TC_TRY(list_part(root, *split ? "train/" : "", classes, true, taught, error));
    if (!*split) goto done;
    TC_TRY(tc_check_test_classes(test, classes, error));
    TC_TRY(list_part(root, "test/", classes, false, asked, error));
    if (!asked->count) TC_RAISE(TC_INVALID, "%s: no .png or .jpg in its classes; add some", test);
done:
    return status;
}

static tc_status open_folder(const char *root, int size, int most, uint64_t seed, tc_album *album, tc_error *error) {
    tc_names classes = {0};
    shelf taught = {0}, asked = {0};
    tc_dataset like = {0};
    bool split;
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(album->root, error, "%s", root));
    TC_TRY(list_folder(root, &classes, &taught, &asked, &split, error));
    TC_TRY(tc_leftovers_find(root, split, &classes, &album->left, error));
    TC_TRY(look_through(root, &taught, &like, error));
    TC_TRY(choose_size(root, size, most, album, &like, error));
    like.classes = (int)classes.count;
    snprintf(like.name, sizeof like.name, "%s", root);
    TC_TRY(fill(root, &taught, &like, &like.train, error));
    album->count = taught.count;
    album->file = taught.file;
    album->label = taught.label;
    taught = (shelf){0};
    TC_TRY(tc_new(&album->held, album->count, sizeof *album->held, error));
    if (!split) TC_TRY(hold(album, like.classes, seed, error));
    TC_TRY(split ? fill(root, &asked, &like, &like.test, error) : copy_held(album, &like, error));
    TC_TRY(tc_dataset_create(root, &like, (const char *const *)classes.name, &album->dataset, error));
done:
    tc_split_free(&like.train);
    tc_split_free(&like.test);
    tc_names_free(&classes);
    free_shelf(&taught);
    free_shelf(&asked);
    return status;
}

/* ---- another data set ---- */

static tc_status open_source(const char *source, int size, uint64_t seed, tc_album *album, tc_error *error) {
    const tc_dataset_options options = {.size = size, .seed = seed};
    char(*folder)[TC_CLASS_FOLDER] = NULL, file[TC_CLASS_FOLDER + 32];
    tc_status status = TC_OK;
    TC_TRY(tc_dataset_open(source, &options, &album->dataset, error));
    const tc_split *train = &album->dataset->train;
    TC_TRY(tc_name_class_folders(album->dataset, &folder, error));
    TC_TRY(tc_new(&album->file, train->count, sizeof *album->file, error));
    TC_TRY(tc_new(&album->label, train->count, sizeof *album->label, error));
    TC_TRY(tc_new(&album->held, train->count, sizeof *album->held, error));
    for (; album->count < train->count; album->count++) {
        const int32_t label = train->labels[album->count];
        snprintf(file, sizeof file, "%s/%06zu.png", folder[label], album->count);
        album->file[album->count] = strdup(file);
        album->label[album->count] = label;
        if (!album->file[album->count]) TC_RAISE(TC_FAILED, "%s: no memory for its names; free some", source);
    }
done:
    free(folder);
    return status;
}

/* Is it meant as one, spelt however badly? Else it is a folder's name. */
static bool names_source(const char *source) {
    enum { MOST = 32 };
    const char *names[MOST] = {NULL};
    char scheme[64];
    for (int i = 0; i < MOST - 1 && tc_sources()[i].name; i++) names[i] = tc_sources()[i].name;
    snprintf(scheme, sizeof scheme, "%.*s", (int)strcspn(source, ":"), source);
    return tc_nearest(scheme, names) != NULL;
}

const char *tc_album_folder(const char *source) {
    static const char images[] = "images:";
    const size_t length = sizeof images - 1;
    if (!tc_folder_exists(source) && !strncmp(source, images, length) && source[length]) return source + length;
    return tc_folder_exists(source) || !names_source(source) ? source : NULL;
}

tc_status tc_album_open(const char *source, int size, int most, uint64_t seed, tc_album *album, tc_error *error) {
    const char *folder = tc_album_folder(source);
    *album = (tc_album){0};
    if (folder && !tc_folder_exists(folder))
        return tc_raise(error, TC_INVALID,
                        "%s: %s; name a folder of pictures, or a data set as `tocsin list datasets` does", folder,
                        tc_file_exists(folder) ? "is a file" : "no such folder");
    const tc_status status =
        folder ? open_folder(folder, size, most, seed, album, error) : open_source(source, size, seed, album, error);
    if (status != TC_OK) tc_album_free(album);
    return status;
}

void tc_album_free(tc_album *album) {
    for (size_t i = 0; album->file && i < album->count; i++) free(album->file[i]);
    free(album->file);
    free(album->label);
    free(album->held);
    tc_dataset_free(album->dataset);
    *album = (tc_album){0};
}

const char *tc_album_class(const tc_album *album, size_t i, char name[TC_PATH_SIZE]) {
    const bool folder = *album->root;
    snprintf(name, TC_PATH_SIZE, "%s", folder ? album->file[i] : album->dataset->class_names[album->label[i]]);
    if (!folder) return name;
    *strrchr(name, '/') = '\0';
    const char *slash = strrchr(name, '/'); /* "train/cat" */
    if (slash) memmove(name, slash + 1, strlen(slash));
    return name;
}

tc_status tc_album_picture(const tc_album *album, size_t i, tc_image *picture, tc_error *error) {
    const tc_dataset *d = album->dataset;
    const size_t bytes = tc_dataset_image_bytes(d);
    if (*album->root) return load(album->root, album->file[i], d->channels, picture, error);
    *picture = (tc_image){d->height, d->width, d->channels, NULL};
    const tc_status status = tc_new(&picture->pixels, bytes, 1, error);
    if (status == TC_OK) memcpy(picture->pixels, d->train.images + i * bytes, bytes);
    return status;
}

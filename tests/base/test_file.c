#include "base/file.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static char root[] = "/tmp/tocsin-test-file-XXXXXX";
static tc_error error;

static const char *at(const char *name) {
    static char path[4][TC_PATH_SIZE];
    static int next;
    char *slot = path[next++ % 4];
    snprintf(slot, TC_PATH_SIZE, "%s/%s", root, name);
    return slot;
}

static size_t count_names(const char *path) {
    tc_names files, folders;
    assert_int_equal(tc_folder_list(path, false, &files, &error), TC_OK);
    assert_int_equal(tc_folder_list(path, true, &folders, &error), TC_OK);
    const size_t count = files.count + folders.count;
    tc_names_free(&files);
    tc_names_free(&folders);
    return count;
}

static void assert_holds(const char *path, const char *text) {
    uint8_t *bytes;
    size_t size;
    assert_int_equal(tc_file_read(path, 1 << 20, &bytes, &size, &error), TC_OK);
    assert_int_equal(size, strlen(text));
    assert_string_equal((char *)bytes, text);
    free(bytes);
}

static void writes_and_reads(void **state) {
    (void)state;
    const char *path = at("file");
    assert_int_equal(tc_file_write(path, "hello", 5, &error), TC_OK);
    assert_holds(path, "hello");
    assert_int_equal(tc_file_write(path, "again", 5, &error), TC_OK);
    assert_holds(path, "again");
    assert_int_equal(tc_file_put(path, "", 0, &error), TC_OK);
    assert_holds(path, "");
    assert_int_equal(count_names(root), 1); /* no temporary stays */
    unlink(path);
}

static void keeps_to_the_limit(void **state) {
    (void)state;
    const char *path = at("file");
    uint8_t *bytes;
    size_t size;
    char text[10001];
    memset(text, 'x', sizeof text);
    assert_int_equal(tc_file_write(path, text, 10000, &error), TC_OK);
    assert_int_equal(tc_file_read(path, 10000, &bytes, &size, &error), TC_OK);
    assert_int_equal(size, 10000);
    free(bytes);
    assert_int_equal(tc_file_read(path, 9999, &bytes, &size, &error), TC_INVALID);
    assert_null(bytes);
    assert_non_null(strstr(error.message, "9999"));
    unlink(path);
}

static void names_what_is_missing(void **state) {
    (void)state;
    uint8_t *bytes;
    size_t size;
    assert_int_equal(tc_file_read(at("nowhere"), 10, &bytes, &size, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "nowhere: cannot be opened: No such file"));
    assert_int_equal(tc_file_read(root, 10, &bytes, &size, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "is a folder"));
    assert_int_equal(tc_file_read_gz(root, 10, &bytes, &size, &error), TC_INVALID);
    assert_int_equal(tc_file_read_gz(at("nowhere"), 10, &bytes, &size, NULL), TC_INVALID);
    assert_int_equal(tc_file_write(root, "x", 1, &error), TC_INVALID);
    assert_int_equal(tc_file_write(at("no/such/folder"), "x", 1, &error), TC_FAILED);
    assert_non_null(strstr(error.message, "No such file"));
}

/* A full disk, played by a limit on the size of files: the old content stays and nothing lies beside it. */
static void full_disk_keeps_the_old_file(void **state) {
    (void)state;
    const char *path = at("file");
    assert_int_equal(tc_file_write(path, "precious", 8, &error), TC_OK);
    static char large[200000];
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    const tc_status status = tc_file_write(path, large, sizeof large, &error);
    const tc_status put = tc_file_put(at("other"), large, sizeof large, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, TC_FAILED);
    assert_int_equal(put, TC_FAILED);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, "File too large"));
    assert_holds(path, "precious");
    assert_int_equal(count_names(root), 1);
    unlink(path);
}

static void abandoned_output_leaves_nothing(void **state) {
    (void)state;
    tc_output output;
    assert_int_equal(tc_output_open(at("file"), &output, &error), TC_OK);
    fputs("half", output.file);
    assert_int_equal(count_names(root), 1);
    tc_output_abandon(&output);
    tc_output_abandon(&output);
    assert_int_equal(count_names(root), 0);
}

static void write_gz(const char *path, const void *bytes, unsigned size) {
    gzFile file = gzopen(path, "wb");
    assert_int_equal(gzwrite(file, bytes, size), size);
    assert_int_equal(gzclose(file), Z_OK);
}

static void reads_gzip_with_a_limit(void **state) {
    (void)state;
    const char *path = at("file.gz");
    static uint8_t zeros[3000000];
    uint8_t *bytes, head[16];
    size_t size;
    write_gz(path, zeros, sizeof zeros); /* 3 MB from 3 KB: the limit must hold on what comes out */
    assert_int_equal(tc_file_read_gz(path, sizeof zeros, &bytes, &size, &error), TC_OK);
    assert_int_equal(size, sizeof zeros);
    assert_memory_equal(bytes, zeros, size);
    free(bytes);
    assert_int_equal(tc_file_read_gz(path, sizeof zeros - 1, &bytes, &size, &error), TC_INVALID);
    assert_null(bytes);
    assert_int_equal(tc_file_head_gz(path, head, sizeof head, &size, &error), TC_OK);
    assert_int_equal(size, sizeof head);
    tc_file_write(path, "plain", 5, &error);
    assert_int_equal(tc_file_read_gz(path, 100, &bytes, &size, &error), TC_OK);
    assert_string_equal((char *)bytes, "plain");
    free(bytes);
    unlink(path);
}

static void refuses_gzip_cut_anywhere(void **state) {
    (void)state;
    const char *path = at("file.gz");
    uint8_t *whole, *bytes, text[500];
    size_t size, got;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i * i >> 3);
    write_gz(path, text, sizeof text);
    assert_int_equal(tc_file_read(path, 10000, &whole, &size, &error), TC_OK);
    for (size_t length = 2; length < size; length++) {
        tc_file_put(path, whole, length, &error);
        assert_int_equal(tc_file_read_gz(path, 10000, &bytes, &got, &error), TC_INVALID);
        assert_null(bytes);
    }
    for (size_t i = 10; i < size - 4; i++) { /* the checksum notices any flipped bit behind the header */
        whole[i] ^= 4;
        tc_file_put(path, whole, size, &error);
        whole[i] ^= 4;
        const tc_status status = tc_file_read_gz(path, 10000, &bytes, &got, &error);
        assert_int_equal(status, TC_INVALID);
    }
    free(whole);
    unlink(path);
}

static void makes_and_lists_folders(void **state) {
    (void)state;
    assert_int_equal(tc_folder_check_writable(at("a/b/c"), &error), TC_OK);
    assert_false(tc_folder_exists(at("a")));
    assert_int_equal(tc_folder_make(at("a/b/c/"), &error), TC_OK);
    assert_int_equal(tc_folder_make(at("a/b/c"), &error), TC_OK);
    assert_true(tc_folder_exists(at("a/b/c")));
    static const char *const files[] = {"a/10", "a/9", "a/Z", "a/.hidden"};
    for (int i = 0; i < 4; i++) tc_file_put(at(files[i]), "", 0, &error);
    tc_names names;
    assert_int_equal(tc_folder_list(at("a"), false, &names, &error), TC_OK);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.name[0], "10");
    assert_string_equal(names.name[1], "9");
    assert_string_equal(names.name[2], "Z");
    tc_names_free(&names);
    assert_int_equal(tc_folder_list(at("nowhere"), false, &names, &error), TC_INVALID);
    assert_int_equal(tc_folder_make(at("a/9/d"), &error), TC_FAILED);
    assert_int_equal(tc_folder_check_writable(at("a/9/d"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "is a file"));
    assert_int_equal(tc_folder_remove(at("a"), &error), TC_OK);
    assert_int_equal(count_names(root), 0);
}

static void refuses_a_folder_it_may_not_write(void **state) {
    (void)state;
    if (geteuid() == 0) {
        print_message("skipped: the super-user may write everywhere\n");
        return;
    }
    tc_folder_make(at("closed"), &error);
    chmod(at("closed"), 0500);
    assert_int_equal(tc_folder_check_writable(at("closed/in"), &error), TC_INVALID);
    assert_non_null(strstr(error.message, "Permission denied"));
    rmdir(at("closed"));
}

static void put_in(const tc_folder_output *output, const char *name, const char *text) {
    char path[TC_PATH_SIZE];
    assert_int_equal(tc_path_format(path, &error, "%s/%s", output->temporary, name), TC_OK);
    assert_int_equal(tc_file_put(path, text, strlen(text), &error), TC_OK);
}

static const char *const patterns[] = {"mark", "list.csv", "*/[0-9].png", NULL};
static const tc_folder_kind marked = {"mark", patterns, "list.csv"};

static void replaces_whole_folders(void **state) {
    (void)state;
    tc_folder_output output;
    for (int round = 0; round < 2; round++) { /* new, then over the earlier one */
        assert_int_equal(tc_folder_output_open(at("deep/out/"), &marked, &output, &error), TC_OK);
        put_in(&output, "mark", round ? "second" : "first");
        assert_int_equal(tc_folder_output_commit(&output, &error), TC_OK);
        assert_holds(at("deep/out/mark"), round ? "second" : "first");
        assert_int_equal(count_names(at("deep")), 1);
    }
    assert_int_equal(tc_folder_output_open(at("deep/out"), NULL, &output, &error), TC_INVALID);
    assert_int_equal(tc_folder_output_open(at("deep"), &marked, &output, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "holds other files"));
    assert_int_equal(tc_folder_output_open(at("deep/out/mark"), NULL, &output, &error), TC_INVALID);
    assert_int_equal(tc_folder_output_open(at("deep/out"), &marked, &output, &error), TC_OK);
    put_in(&output, "mark", "third");
    tc_folder_output_abandon(&output);
    assert_holds(at("deep/out/mark"), "second");
    assert_int_equal(count_names(at("deep")), 1);
    tc_folder_remove(at("deep"), &error);
}

/* By patterns and by the listing what was written is known; one file of somebody else's, wherever, keeps it all. */
static void replaces_nothing_of_others(void **state) {
    (void)state;
    static const char *const own[] = {"out/a/1.png", "out/b/x y.png", "out/c/,.png", "out/c/\"", "out/plain"};
    static const char *const theirs[] = {"out/notes.txt", "out/a/10.png", "out/b/c/1.png", "out/.hidden",
                                         "out/b/x",       "out/c/file",   "out/name"};
    static const char listing[] =
        "name,class\n\"b/x y.png\",\"b\"\nplain,\"\n\"\n\"c/\"\"\",c\n\"c/,.png\",\"c\"\n\"c/file\n";
    tc_folder_output output;
    tc_folder_make(at("out/a/empty"), &error);
    tc_folder_make(at("out/b/c"), &error);
    tc_folder_make(at("out/c"), &error);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) tc_file_put(at(own[i]), "", 0, &error);
    tc_file_put(at("out/list.csv"), listing, sizeof listing - 1, &error);
    assert_int_equal(tc_folder_output_check(at("out"), &marked, true, &error), TC_INVALID); /* not finished */
    tc_file_put(at("out/mark"), "", 0, &error);
    assert_int_equal(tc_folder_output_check(at("out/"), &marked, true, &error), TC_OK);
    assert_int_equal(tc_folder_output_check(at("out"), &marked, false, &error), TC_INVALID);
    assert_non_null(strstr(error.message, "holds an earlier result; choose another place, or --overwrite"));
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        tc_file_put(at(theirs[i]), "", 0, &error);
        assert_int_equal(tc_folder_output_check(at("out"), &marked, true, &error), TC_INVALID);
        assert_non_null(strstr(error.message, theirs[i] + 4));
        assert_int_equal(tc_folder_output_open(at("out"), &marked, &output, &error), TC_INVALID);
        unlink(at(theirs[i]));
    }
    symlink("/", at("out/b/1.pn"));
    assert_int_equal(tc_folder_output_check(at("out"), &marked, true, &error), TC_INVALID); /* and not followed */
    unlink(at("out/b/1.pn"));
    assert_int_equal(tc_folder_output_check(at("out"), &marked, true, &error), TC_OK);
    tc_folder_remove(at("out"), &error);
}

/* What a process left that was killed while it wrote a folder goes when that is written the next time; what it was
 * about to replace goes only when something else is in its place. */
static void sweeps_after_a_kill(void **state) {
    (void)state;
    tc_folder_output output;
    char dead[64], alive[64], old[80], other[80];
    const pid_t child = fork();
    if (!child) _exit(0);
    assert_true(waitpid(child, NULL, 0) == child);
    snprintf(dead, sizeof dead, "goal.%ld-0.tmp", (long)child);
    snprintf(old, sizeof old, "goal.%ld-0.tmp.old", (long)child);
    snprintf(other, sizeof other, "goals.%ld-0.tmp", (long)child);
    snprintf(alive, sizeof alive, "goal.%ld-7000.tmp", (long)getpid());
    const char *const made[] = {dead, old, other, alive};
    for (int i = 0; i < 4; i++) assert_int_equal(tc_folder_make(at(made[i]), &error), TC_OK);
    assert_int_equal(tc_folder_output_open(at("goal"), NULL, &output, &error), TC_OK);
    assert_false(tc_folder_exists(at(dead)));
    assert_true(tc_folder_exists(at(old)) && tc_folder_exists(at(other)) && tc_folder_exists(at(alive)));
    assert_int_equal(tc_folder_output_commit(&output, &error), TC_OK);
    assert_int_equal(tc_folder_output_open(at("goal"), NULL, &output, &error), TC_OK);
    assert_false(tc_folder_exists(at(old)));
    assert_true(tc_folder_exists(at(other)) && tc_folder_exists(at(alive)));
    tc_folder_output_abandon(&output);
    const char *const left[] = {"goal", other, alive};
    for (int i = 0; i < 3; i++) tc_folder_remove(at(left[i]), &error);
}

static void refuses_overlong_paths(void **state) {
    (void)state;
    char path[TC_PATH_SIZE], *name = malloc(5000);
    memset(name, 'n', 4999);
    name[4999] = 0;
    assert_int_equal(tc_path_format(path, &error, "%s", name), TC_INVALID);
    assert_int_equal(tc_file_write(name, "", 0, &error), TC_INVALID);
    assert_int_equal(tc_folder_make(name, &error), TC_INVALID);
    free(name);
}

static int make_root(void **state) {
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state) {
    (void)state;
    return tc_folder_remove(root, NULL) == TC_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(sweeps_after_a_kill),
        cmocka_unit_test(keeps_to_the_limit),
        cmocka_unit_test(names_what_is_missing),
        cmocka_unit_test(full_disk_keeps_the_old_file),
        cmocka_unit_test(abandoned_output_leaves_nothing),
        cmocka_unit_test(reads_gzip_with_a_limit),
        cmocka_unit_test(refuses_gzip_cut_anywhere),
        cmocka_unit_test(makes_and_lists_folders),
        cmocka_unit_test(refuses_a_folder_it_may_not_write),
        cmocka_unit_test(replaces_whole_folders),
        cmocka_unit_test(replaces_nothing_of_others),
        cmocka_unit_test(refuses_overlong_paths),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}

#include "CPNG.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bifrons_png {
    png_structp library;
    png_infop information;
    const uint8_t *bytes;
    size_t left;
    /// Where libpng's callbacks leave to: set by each entry point below, valid until that returns.
    jmp_buf way_out;
    bifrons_png_outcome outcome;
    uint64_t time;
    uint64_t began;
    uint32_t ticks;
    char message[128];
};

static _Noreturn void give_up(bifrons_png *png, bifrons_png_outcome outcome, const char *message) {
    strncpy(png->message, message, sizeof png->message - 1);
    png->outcome = outcome;
    longjmp(png->way_out, 1);
}

static uint64_t cpu_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void on_error(png_structp library, png_const_charp message) {
    bifrons_png_outcome outcome = BIFRONS_PNG_CORRUPT;
    // libpng has no codes: these are its own words where the compressed data stops short, or malloc says no.
    if (strstr(message, "Not enough image data")) outcome = BIFRONS_PNG_TRUNCATED;
    if (strstr(message, "emory")) outcome = BIFRONS_PNG_OUT_OF_MEMORY;
    give_up(png_get_error_ptr(library), outcome, message);
}

// Unlike libjpeg's, libpng's warnings are about chunks that we do not use.
static void on_warning(png_structp library, png_const_charp message) {
    (void)library;
    (void)message;
}

static void read_bytes(png_structp library, png_bytep out, size_t count) {
    bifrons_png *png = png_get_io_ptr(library);
    if (count > png->left) give_up(png, BIFRONS_PNG_TRUNCATED, "Read past the end");
    memcpy(out, png->bytes, count);
    png->bytes += count;
    png->left -= count;
}

bifrons_png *bifrons_png_open(const uint8_t *bytes, size_t count, uint64_t time) {
    bifrons_png *png = calloc(1, sizeof *png);
    if (!png) return NULL;
    png->bytes = bytes;
    png->left = count;
    png->time = time;
    png->began = cpu_time();
    if (setjmp(png->way_out)) {
        bifrons_png_close(png);
        return NULL;
    }
    png->library = png_create_read_struct(PNG_LIBPNG_VER_STRING, png, on_error, on_warning);
    png->information = png->library ? png_create_info_struct(png->library) : NULL;
    if (!png->information) {
        bifrons_png_close(png);
        return NULL;
    }
    png_set_read_fn(png->library, png, read_bytes);
    // Every checksum counts: by default libpng would drop a damaged tRNS chunk, and with it the transparency.
    png_set_crc_action(png->library, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    // Nothing but IHDR, PLTE, tRNS, IDAT and IEND is looked into: no profiles, no texts, and none of their bombs.
    png_set_keep_unknown_chunks(png->library, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    return png;
}

void bifrons_png_close(bifrons_png *png) {
    png_destroy_read_struct(&png->library, &png->information, NULL);
    free(png);
}

bifrons_png_outcome bifrons_png_read_header(bifrons_png *png, uint32_t *channels) {
    if (setjmp(png->way_out)) return png->outcome;
    png_read_info(png->library, png->information);
    png_set_expand(png->library); // palette and small depths to 8 bits, tRNS to alpha
    png_set_scale_16(png->library); // 16 bits to 8, rounded
    png_set_gray_to_rgb(png->library);
    png_read_update_info(png->library, png->information);
    *channels = png_get_channels(png->library, png->information);
    return BIFRONS_PNG_OK;
}

bifrons_png_outcome bifrons_png_read_row(bifrons_png *png, uint8_t *row) {
    if (setjmp(png->way_out)) return png->outcome;
    // Asking for a thread's CPU time is a system call: not for every row.
    if ((png->ticks++ & 15) == 0 && cpu_time() - png->began > png->time) {
        give_up(png, BIFRONS_PNG_OUT_OF_TIME, "Out of time");
    }
    png_read_row(png->library, row, NULL);
    return BIFRONS_PNG_OK;
}

bifrons_png_outcome bifrons_png_finish(bifrons_png *png) {
    if (setjmp(png->way_out)) return png->outcome;
    png_read_end(png->library, NULL);
    return BIFRONS_PNG_OK;
}

const char *bifrons_png_message(const bifrons_png *png) { return png->message; }

_Bool bifrons_png_write(const uint8_t *pixels, uint32_t width, uint32_t height, uint8_t **bytes, size_t *count) {
    png_image image = {.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB};
    png_alloc_size_t size = 0;
    if (!png_image_write_to_memory(&image, NULL, &size, 0, pixels, 0, NULL)) return 0;
    uint8_t *file = malloc(size);
    if (!file || !png_image_write_to_memory(&image, file, &size, 0, pixels, 0, NULL)) {
        free(file);
        return 0;
    }
    *bytes = file;
    *count = size;
    return 1;
}

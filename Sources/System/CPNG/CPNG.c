#include "CPNG.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

/// A range of bytes for libpng to read.
struct piece {
    const uint8_t *bytes;
    size_t count;
};

struct bifrons_png {
    png_structp library;
    png_infop information;
    struct piece pieces[4];
    /// The replacements for the length of a truncated chunk, and for everything missing behind its data.
    uint8_t length[4];
    uint8_t tail[16];
    /// Whether libpng was stopped behind the last row because the compressed data has no end.
    _Bool stopped;
    /// Where libpng's callbacks jump when they give up. Each entry point sets it, and it is valid until that returns.
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

// Returns whether libpng has returned every row and only looks for the end of the compressed data.
static _Bool has_all_rows(png_structp library, png_infop information) {
    return png_get_interlace_type(library, information) == PNG_INTERLACE_NONE
               ? png_get_current_row_number(library) >= png_get_image_height(library, information)
               : png_get_current_pass_number(library) >= PNG_INTERLACE_ADAM7_PASSES;
}

static void on_error(png_structp library, png_const_charp message) {
    bifrons_png *png = png_get_error_ptr(library);
    bifrons_png_outcome outcome = BIFRONS_PNG_CORRUPT;
    // libpng has no error codes: these are its messages for compressed data that ends early, and for a failed malloc.
    if (strstr(message, "Not enough image data")) outcome = BIFRONS_PNG_TRUNCATED;
    if (strstr(message, "emory")) outcome = BIFRONS_PNG_OUT_OF_MEMORY;
    if (outcome == BIFRONS_PNG_TRUNCATED && has_all_rows(library, png->information)) {
        outcome = BIFRONS_PNG_OK;
        png->stopped = 1;
    }
    give_up(png, outcome, message);
}

// Unlike libjpeg's warnings, libpng's concern only chunks that an image does not need.
static void on_warning(png_structp library, png_const_charp message) {
    (void)library;
    (void)message;
}

static void read_bytes(png_structp library, png_bytep out, size_t count) {
    bifrons_png *png = png_get_io_ptr(library);
    for (size_t i = 0; i < sizeof png->pieces / sizeof *png->pieces && count > 0; i++) {
        struct piece *piece = &png->pieces[i];
        size_t taken = count < piece->count ? count : piece->count;
        if (taken == 0) continue;
        memcpy(out, piece->bytes, taken);
        piece->bytes += taken;
        piece->count -= taken;
        out += taken;
        count -= taken;
    }
    if (count > 0) give_up(png, BIFRONS_PNG_TRUNCATED, "Read past the end");
}

static void put_number(uint8_t *out, uint32_t value) {
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(value >> (24 - 8 * i));
}

uint32_t bifrons_png_checksum(const uint8_t *bytes, size_t count) {
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), bytes, count);
}

// Shows libpng a truncated file as if it were closed behind the existing data, so that only missing rows are an error.
static void close_pieces(bifrons_png *png, const uint8_t *bytes, size_t count, size_t end) {
    static const uint8_t last[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
    uint8_t *tail = png->tail;
    png->pieces[0] = (struct piece){bytes, end};
    if (count - end >= 8 && memcmp(bytes + end + 4, "IDAT", 4) == 0) {
        size_t data = count - end - 8;
        put_number(png->length, (uint32_t)data);
        put_number(tail, bifrons_png_checksum(bytes + end + 4, 4 + data));
        tail += 4;
        png->pieces[1] = (struct piece){png->length, sizeof png->length};
        png->pieces[2] = (struct piece){bytes + end + 4, 4 + data};
    }
    memcpy(tail, last, sizeof last);
    png->pieces[3] = (struct piece){png->tail, (size_t)(tail - png->tail) + sizeof last};
}

bifrons_png *bifrons_png_open(const uint8_t *bytes, size_t count, _Bool is_cut, size_t end, uint64_t time) {
    bifrons_png *png = calloc(1, sizeof *png);
    if (!png) return NULL;
    if (is_cut) {
        close_pieces(png, bytes, count, end);
    } else {
        png->pieces[0] = (struct piece){bytes, count};
    }
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
    // Wrong checksums of critical chunks are errors. Other damaged chunks are dropped, as browsers do.
    png_set_crc_action(png->library, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
    // Only IHDR, PLTE, tRNS, IDAT and IEND are parsed, which excludes text chunks and decompression bombs in them.
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
    // Reading a thread's processor time is a system call, so it is not done for every row.
    if ((png->ticks++ & 15) == 0 && cpu_time() - png->began > png->time) {
        give_up(png, BIFRONS_PNG_OUT_OF_TIME, "Out of time");
    }
    png_read_row(png->library, row, NULL);
    return BIFRONS_PNG_OK;
}

bifrons_png_outcome bifrons_png_finish(bifrons_png *png) {
    if (png->stopped) return BIFRONS_PNG_OK;
    if (setjmp(png->way_out)) return png->outcome;
    png_read_end(png->library, NULL);
    return BIFRONS_PNG_OK;
}

const char *bifrons_png_message(const bifrons_png *png) { return png->message; }

uint8_t *bifrons_png_profile(const uint8_t *stream, size_t count, size_t limit, size_t *size) {
    uint8_t head[4] = {0};
    uint8_t *profile = NULL;
    z_stream inflater = {
        .next_in = (Bytef *)stream, .avail_in = (uInt)count, .next_out = head, .avail_out = sizeof head};
    if (inflateInit(&inflater) != Z_OK) return NULL;
    inflate(&inflater, Z_SYNC_FLUSH);
    *size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (inflater.avail_out == 0 && *size > sizeof head && *size <= limit) profile = malloc(*size);
    if (profile) {
        memcpy(profile, head, sizeof head);
        inflater.next_out = profile + sizeof head;
        inflater.avail_out = (uInt)(*size - sizeof head);
        inflate(&inflater, Z_SYNC_FLUSH);
        if (inflater.avail_out != 0) {
            free(profile);
            profile = NULL;
        }
    }
    inflateEnd(&inflater);
    return profile;
}

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

#include "CJPEG.h"

#include <stdio.h> // jpeglib.h needs it

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bifrons_jpeg {
    struct jpeg_decompress_struct library;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    /// Where libjpeg's callbacks jump when they give up. Each entry point sets it, and it is valid until that returns.
    jmp_buf way_out;
    bifrons_jpeg_outcome outcome;
    bifrons_jpeg_limits limits;
    uint64_t began;
    uint32_t ticks;
    /// The components whose mean values (DC) a scan has sent, one bit each.
    uint32_t sent;
    uint64_t missing;
    /// Whether the data has ended and libjpeg was given an end marker in its place.
    _Bool ended;
    char message[JMSG_LENGTH_MAX];
};

static _Noreturn void give_up(bifrons_jpeg *jpeg, bifrons_jpeg_outcome outcome, const char *message) {
    if (message) {
        strncpy(jpeg->message, message, sizeof jpeg->message - 1);
    } else {
        jpeg->errors.format_message((j_common_ptr)&jpeg->library, jpeg->message);
    }
    jpeg->outcome = outcome;
    longjmp(jpeg->way_out, 1);
}

static uint64_t cpu_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Errors

// Returns whether the height is in a DNL segment behind the first scan (ITU-T T.81, B.2.5).
static _Bool has_late_height(const bifrons_jpeg *jpeg) {
    if (jpeg->library.image_height != 0 || jpeg->library.image_width == 0) return 0;
    static const JOCTET segment[] = {0xFF, 0xDC, 0, 4};
    const JOCTET *bytes = jpeg->source.next_input_byte;
    for (size_t left = jpeg->source.bytes_in_buffer; left >= sizeof segment; left--, bytes++) {
        if (memcmp(bytes, segment, sizeof segment) == 0) return 1;
    }
    return 0;
}

static _Noreturn void error_exit(j_common_ptr library) {
    bifrons_jpeg *jpeg = library->client_data;
    if (jpeg->ended) give_up(jpeg, BIFRONS_JPEG_TRUNCATED, "Premature end of JPEG file");
    switch (library->err->msg_code) {
    case JERR_EMPTY_IMAGE: // also reported for a frame without components
        if (has_late_height(jpeg)) {
            give_up(jpeg, BIFRONS_JPEG_UNSUPPORTED, "Height behind its first scan (DNL)");
        }
        give_up(
            jpeg,
            jpeg->library.image_width == 0 || jpeg->library.image_height == 0 ? BIFRONS_JPEG_ZERO_SIZED
                                                                              : BIFRONS_JPEG_CORRUPT,
            NULL);
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW:
        give_up(jpeg, BIFRONS_JPEG_TOO_LARGE, NULL);
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE: // the result of exceeding max_memory_to_use
        give_up(jpeg, BIFRONS_JPEG_OUT_OF_MEMORY, NULL);
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
        give_up(jpeg, BIFRONS_JPEG_UNSUPPORTED, NULL);
    default:
        give_up(jpeg, BIFRONS_JPEG_CORRUPT, NULL);
    }
}

// libjpeg warns when it starts to invent pixels. Those warnings count as errors. Only warnings that leave every pixel
// as its maker meant it are ignored.
static void emit_message(j_common_ptr library, int level) {
    if (level >= 0) return; // trace
    bifrons_jpeg *jpeg = library->client_data;
    switch (library->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_EXTRANEOUS_DATA: // bytes before a marker that nothing needs: libjpeg's own programs skip them
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
        return;
    case JWRN_HIT_MARKER: // a truncated file that was closed with an end marker is still truncated
    case JWRN_MUST_RESYNC:
        give_up(
            jpeg, jpeg->library.unread_marker == JPEG_EOI ? BIFRONS_JPEG_TRUNCATED : BIFRONS_JPEG_CORRUPT, NULL);
    default:
        give_up(jpeg, jpeg->ended ? BIFRONS_JPEG_TRUNCATED : BIFRONS_JPEG_CORRUPT, NULL);
    }
}

static void output_message(j_common_ptr library) { (void)library; }

// Source: all of the caller's bytes. An end marker is put once behind them, though not in the header: a file without an
// end marker may still have every row. Whether it has shows in what libjpeg still asks for (JWRN_HIT_MARKER) and in
// which scans there were.

static void init_source(j_decompress_ptr library) { (void)library; }

static boolean fill_input_buffer(j_decompress_ptr library) {
    static const JOCTET end[] = {0xFF, JPEG_EOI};
    bifrons_jpeg *jpeg = library->client_data;
    if (library->input_scan_number == 0 || jpeg->ended) {
        give_up(jpeg, BIFRONS_JPEG_TRUNCATED, "Premature end of JPEG file");
    }
    jpeg->ended = 1;
    jpeg->source.next_input_byte = end;
    jpeg->source.bytes_in_buffer = sizeof end;
    return TRUE;
}

static void skip_input_data(j_decompress_ptr library, long count) {
    bifrons_jpeg *jpeg = library->client_data;
    if (count <= 0) return;
    if ((size_t)count > jpeg->source.bytes_in_buffer) {
        jpeg->missing = (size_t)count - jpeg->source.bytes_in_buffer;
        fill_input_buffer(library);
        return;
    }
    jpeg->source.next_input_byte += count;
    jpeg->source.bytes_in_buffer -= (size_t)count;
}

static void term_source(j_decompress_ptr library) { (void)library; }

// Limits: libjpeg calls this at least once for every row of blocks of every scan.

static void progress_monitor(j_common_ptr library) {
    bifrons_jpeg *jpeg = library->client_data;
    j_decompress_ptr state = &jpeg->library;
    if ((uint32_t)state->input_scan_number > jpeg->limits.scans) {
        give_up(jpeg, BIFRONS_JPEG_TOO_MANY_SCANS, "Too many scans");
    }
    if (state->Ss == 0) {
        for (int i = 0; i < state->comps_in_scan; i++) {
            jpeg->sent |= 1u << state->cur_comp_info[i]->component_index;
        }
    }
    // Reading a thread's processor time is a system call, so it is not done for every row.
    if ((jpeg->ticks++ & 15) == 0 && cpu_time() - jpeg->began > jpeg->limits.time) {
        give_up(jpeg, BIFRONS_JPEG_OUT_OF_TIME, "Out of time");
    }
}

// Returns whether the scans of a progressive image brought every coefficient of every component to its last bit.
static _Bool is_complete(j_decompress_ptr state) {
    if (!state->progressive_mode) return 1;
    for (int i = 0; i < state->num_components; i++) {
        for (int k = 0; k < DCTSIZE2; k++) {
            if (state->coef_bits[i][k] != 0) return 0;
        }
    }
    return 1;
}

// Entry points

bifrons_jpeg *bifrons_jpeg_open(const uint8_t *bytes, size_t count) {
    bifrons_jpeg *jpeg = calloc(1, sizeof *jpeg);
    if (!jpeg) return NULL;
    jpeg->library.err = jpeg_std_error(&jpeg->errors);
    jpeg->library.client_data = jpeg;
    jpeg->errors.error_exit = error_exit;
    jpeg->errors.emit_message = emit_message;
    jpeg->errors.output_message = output_message;
    if (setjmp(jpeg->way_out)) {
        bifrons_jpeg_close(jpeg);
        return NULL;
    }
    jpeg_create_decompress(&jpeg->library);
    jpeg->source = (struct jpeg_source_mgr){
        .next_input_byte = bytes,
        .bytes_in_buffer = count,
        .init_source = init_source,
        .fill_input_buffer = fill_input_buffer,
        .skip_input_data = skip_input_data,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = term_source,
    };
    jpeg->library.src = &jpeg->source;
    jpeg->progress.progress_monitor = progress_monitor;
    return jpeg;
}

void bifrons_jpeg_close(bifrons_jpeg *jpeg) {
    jpeg_destroy_decompress(&jpeg->library);
    free(jpeg);
}

bifrons_jpeg_outcome bifrons_jpeg_read_header(bifrons_jpeg *jpeg, bifrons_jpeg_header *header) {
    if (setjmp(jpeg->way_out)) return jpeg->outcome;
    j_decompress_ptr state = &jpeg->library;
    jpeg_read_header(state, TRUE);
    if (state->arith_code) { // no browser shows it, and the decoder cannot tell a truncated scan from a short one
        give_up(jpeg, BIFRONS_JPEG_UNSUPPORTED, "Arithmetic coding");
    }
    int is_cmyk = state->jpeg_color_space == JCS_CMYK || state->jpeg_color_space == JCS_YCCK;
    state->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    *header = (bifrons_jpeg_header){
        .width = state->image_width,
        .height = state->image_height,
        .channels = is_cmyk ? 4 : 3,
        .is_gray = state->jpeg_color_space == JCS_GRAYSCALE,
    };
    if (jpeg_has_multiple_scans(state)) {
        for (int i = 0; i < state->num_components; i++) {
            const jpeg_component_info *component = &state->comp_info[i];
            header->coefficient_bytes +=
                (uint64_t)component->width_in_blocks * component->height_in_blocks * sizeof(JBLOCK);
        }
    }
    return BIFRONS_JPEG_OK;
}

bifrons_jpeg_outcome bifrons_jpeg_start(
    bifrons_jpeg *jpeg, bifrons_jpeg_limits limits, uint32_t *width, uint32_t *height) {
    if (setjmp(jpeg->way_out)) return jpeg->outcome;
    j_decompress_ptr state = &jpeg->library;
    jpeg->limits = limits;
    jpeg->began = cpu_time();
    state->progress = &jpeg->progress;
    state->mem->max_memory_to_use = (long)limits.memory;
    state->scale_num = 1;
    state->scale_denom = limits.reduction;
    // The accurate transform. With SIMD it costs hardly more than the fast one and gives the same bits as without SIMD.
    // Other decoders use it too, and so did those of the training images.
    state->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(state);
    if (jpeg_has_multiple_scans(state) && jpeg->sent != (1u << state->num_components) - 1) {
        give_up(jpeg, BIFRONS_JPEG_TRUNCATED, "No scan for some of its colour components");
    }
    if (!is_complete(state)) {
        give_up(jpeg, BIFRONS_JPEG_TRUNCATED, "Some of its scans are missing");
    }
    *width = state->output_width;
    *height = state->output_height;
    return BIFRONS_JPEG_OK;
}

bifrons_jpeg_outcome bifrons_jpeg_read_row(bifrons_jpeg *jpeg, uint8_t *row) {
    if (setjmp(jpeg->way_out)) return jpeg->outcome;
    if (jpeg_read_scanlines(&jpeg->library, &row, 1) != 1) {
        give_up(jpeg, BIFRONS_JPEG_TRUNCATED, "Premature end of JPEG file");
    }
    return BIFRONS_JPEG_OK;
}

bifrons_jpeg_outcome bifrons_jpeg_finish(bifrons_jpeg *jpeg) {
    if (setjmp(jpeg->way_out)) return jpeg->outcome;
    jpeg_finish_decompress(&jpeg->library);
    return BIFRONS_JPEG_OK;
}

const char *bifrons_jpeg_message(const bifrons_jpeg *jpeg) { return jpeg->message; }

bifrons_jpeg_position bifrons_jpeg_where(const bifrons_jpeg *jpeg) {
    return (bifrons_jpeg_position){
        .scan = (uint32_t)jpeg->library.input_scan_number,
        .missing = jpeg->missing,
    };
}

// Writing

typedef struct {
    struct jpeg_error_mgr errors;
    jmp_buf way_out;
} writer_errors;

static _Noreturn void stop_writing(j_common_ptr library) { longjmp(((writer_errors *)library->err)->way_out, 1); }

_Bool bifrons_jpeg_write(
    const uint8_t *pixels, uint32_t width, uint32_t height, int quality, uint8_t **bytes, size_t *count) {
    struct jpeg_compress_struct library;
    writer_errors errors;
    // Volatile, because libjpeg changes it between setjmp and longjmp.
    unsigned char *volatile file = NULL;
    unsigned long length = 0;
    library.err = jpeg_std_error(&errors.errors);
    errors.errors.error_exit = stop_writing;
    jpeg_create_compress(&library);
    if (setjmp(errors.way_out)) {
        jpeg_destroy_compress(&library);
        free(file);
        return 0;
    }
    jpeg_mem_dest(&library, (unsigned char **)&file, &length);
    library.image_width = width;
    library.image_height = height;
    library.input_components = 3;
    library.in_color_space = JCS_RGB;
    jpeg_set_defaults(&library);
    jpeg_set_quality(&library, quality, TRUE);
    for (int i = 0; i < library.num_components; i++) {
        library.comp_info[i].h_samp_factor = 1;
        library.comp_info[i].v_samp_factor = 1;
    }
    jpeg_start_compress(&library, TRUE);
    while (library.next_scanline < height) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)library.next_scanline * width * 3);
        jpeg_write_scanlines(&library, &row, 1);
    }
    jpeg_finish_compress(&library);
    jpeg_destroy_compress(&library);
    *bytes = file;
    *count = length;
    return 1;
}

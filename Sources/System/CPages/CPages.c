#include "CPages.h"

// Each further file needs an entry here and one in the table below; a test compares the table with the folder.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char api_js[] = {
#embed "../../Gateway/Resources/api.js"
};

static const unsigned char app_js[] = {
#embed "../../Gateway/Resources/app.js"
};

static const unsigned char chart_js[] = {
#embed "../../Gateway/Resources/chart.js"
};

static const unsigned char dom_js[] = {
#embed "../../Gateway/Resources/dom.js"
};

static const unsigned char export_js[] = {
#embed "../../Gateway/Resources/export.js"
};

static const unsigned char formats_js[] = {
#embed "../../Gateway/Resources/formats.js"
};

static const unsigned char icon_svg[] = {
#embed "../../Gateway/Resources/icon.svg"
};

static const unsigned char index_html[] = {
#embed "../../Gateway/Resources/index.html"
};

static const unsigned char openapi_json[] = {
#embed "../../Gateway/Resources/openapi.json"
};

static const unsigned char overlay_js[] = {
#embed "../../Gateway/Resources/overlay.js"
};

static const unsigned char image_js[] = {
#embed "../../Gateway/Resources/image.js"
};

static const unsigned char samples_js[] = {
#embed "../../Gateway/Resources/samples.js"
};

static const unsigned char scale_js[] = {
#embed "../../Gateway/Resources/scale.js"
};

static const unsigned char session_js[] = {
#embed "../../Gateway/Resources/session.js"
};

static const unsigned char status_html[] = {
#embed "../../Gateway/Resources/status.html"
};

static const unsigned char status_js[] = {
#embed "../../Gateway/Resources/status.js"
};

static const unsigned char style_css[] = {
#embed "../../Gateway/Resources/style.css"
};

static const unsigned char token_js[] = {
#embed "../../Gateway/Resources/token.js"
};

static const unsigned char words_js[] = {
#embed "../../Gateway/Resources/words.js"
};

static const struct bifrons_page bifrons_pages[] = {
    {"api.js", api_js, sizeof api_js},
    {"app.js", app_js, sizeof app_js},
    {"chart.js", chart_js, sizeof chart_js},
    {"dom.js", dom_js, sizeof dom_js},
    {"export.js", export_js, sizeof export_js},
    {"formats.js", formats_js, sizeof formats_js},
    {"icon.svg", icon_svg, sizeof icon_svg},
    {"index.html", index_html, sizeof index_html},
    {"openapi.json", openapi_json, sizeof openapi_json},
    {"overlay.js", overlay_js, sizeof overlay_js},
    {"image.js", image_js, sizeof image_js},
    {"samples.js", samples_js, sizeof samples_js},
    {"scale.js", scale_js, sizeof scale_js},
    {"session.js", session_js, sizeof session_js},
    {"status.html", status_html, sizeof status_html},
    {"status.js", status_js, sizeof status_js},
    {"style.css", style_css, sizeof style_css},
    {"token.js", token_js, sizeof token_js},
    {"words.js", words_js, sizeof words_js},
};

const size_t bifrons_page_count = sizeof bifrons_pages / sizeof bifrons_pages[0];

const struct bifrons_page *bifrons_page_table(void) {
    return bifrons_pages;
}

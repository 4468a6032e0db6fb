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

static const unsigned char classify_css[] = {
#embed "../../Gateway/Resources/classify.css"
};

static const unsigned char day_js[] = {
#embed "../../Gateway/Resources/day.js"
};

static const unsigned char details_js[] = {
#embed "../../Gateway/Resources/details.js"
};

static const unsigned char docs_css[] = {
#embed "../../Gateway/Resources/docs.css"
};

static const unsigned char docs_html[] = {
#embed "../../Gateway/Resources/docs.html"
};

static const unsigned char docs_js[] = {
#embed "../../Gateway/Resources/docs.js"
};

static const unsigned char dom_js[] = {
#embed "../../Gateway/Resources/dom.js"
};

static const unsigned char drift_js[] = {
#embed "../../Gateway/Resources/drift.js"
};

static const unsigned char events_js[] = {
#embed "../../Gateway/Resources/events.js"
};

static const unsigned char export_js[] = {
#embed "../../Gateway/Resources/export.js"
};

static const unsigned char formats_js[] = {
#embed "../../Gateway/Resources/formats.js"
};

static const unsigned char gallery_js[] = {
#embed "../../Gateway/Resources/gallery.js"
};

static const unsigned char history_js[] = {
#embed "../../Gateway/Resources/history.js"
};

static const unsigned char icon_svg[] = {
#embed "../../Gateway/Resources/icon.svg"
};

static const unsigned char index_html[] = {
#embed "../../Gateway/Resources/index.html"
};

static const unsigned char intake_js[] = {
#embed "../../Gateway/Resources/intake.js"
};

static const unsigned char labels_js[] = {
#embed "../../Gateway/Resources/labels.js"
};

static const unsigned char openapi_json[] = {
#embed "../../Gateway/Resources/openapi.json"
};

static const unsigned char order_js[] = {
#embed "../../Gateway/Resources/order.js"
};

static const unsigned char overlay_js[] = {
#embed "../../Gateway/Resources/overlay.js"
};

static const unsigned char picture_js[] = {
#embed "../../Gateway/Resources/picture.js"
};

static const unsigned char queue_js[] = {
#embed "../../Gateway/Resources/queue.js"
};

static const unsigned char recorded_js[] = {
#embed "../../Gateway/Resources/recorded.js"
};

static const unsigned char report_js[] = {
#embed "../../Gateway/Resources/report.js"
};

static const unsigned char review_css[] = {
#embed "../../Gateway/Resources/review.css"
};

static const unsigned char review_html[] = {
#embed "../../Gateway/Resources/review.html"
};

static const unsigned char review_js[] = {
#embed "../../Gateway/Resources/review.js"
};

static const unsigned char reviews_js[] = {
#embed "../../Gateway/Resources/reviews.js"
};

static const unsigned char sample_jpg[] = {
#embed "../../Gateway/Resources/sample.jpg"
};

static const unsigned char samples_js[] = {
#embed "../../Gateway/Resources/samples.js"
};

static const unsigned char scale_js[] = {
#embed "../../Gateway/Resources/scale.js"
};

static const unsigned char schema_js[] = {
#embed "../../Gateway/Resources/schema.js"
};

static const unsigned char service_js[] = {
#embed "../../Gateway/Resources/service.js"
};

static const unsigned char session_js[] = {
#embed "../../Gateway/Resources/session.js"
};

static const unsigned char status_css[] = {
#embed "../../Gateway/Resources/status.css"
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

static const unsigned char thumbnails_js[] = {
#embed "../../Gateway/Resources/thumbnails.js"
};

static const unsigned char tile_js[] = {
#embed "../../Gateway/Resources/tile.js"
};

static const unsigned char token_js[] = {
#embed "../../Gateway/Resources/token.js"
};

static const unsigned char viewer_css[] = {
#embed "../../Gateway/Resources/viewer.css"
};

static const unsigned char viewer_js[] = {
#embed "../../Gateway/Resources/viewer.js"
};

static const unsigned char words_js[] = {
#embed "../../Gateway/Resources/words.js"
};

static const unsigned char zoom_js[] = {
#embed "../../Gateway/Resources/zoom.js"
};

static const struct bifrons_page bifrons_pages[] = {
    {"api.js", api_js, sizeof api_js},
    {"app.js", app_js, sizeof app_js},
    {"chart.js", chart_js, sizeof chart_js},
    {"classify.css", classify_css, sizeof classify_css},
    {"day.js", day_js, sizeof day_js},
    {"details.js", details_js, sizeof details_js},
    {"docs.css", docs_css, sizeof docs_css},
    {"docs.html", docs_html, sizeof docs_html},
    {"docs.js", docs_js, sizeof docs_js},
    {"dom.js", dom_js, sizeof dom_js},
    {"drift.js", drift_js, sizeof drift_js},
    {"events.js", events_js, sizeof events_js},
    {"export.js", export_js, sizeof export_js},
    {"formats.js", formats_js, sizeof formats_js},
    {"gallery.js", gallery_js, sizeof gallery_js},
    {"history.js", history_js, sizeof history_js},
    {"icon.svg", icon_svg, sizeof icon_svg},
    {"index.html", index_html, sizeof index_html},
    {"intake.js", intake_js, sizeof intake_js},
    {"labels.js", labels_js, sizeof labels_js},
    {"openapi.json", openapi_json, sizeof openapi_json},
    {"order.js", order_js, sizeof order_js},
    {"overlay.js", overlay_js, sizeof overlay_js},
    {"picture.js", picture_js, sizeof picture_js},
    {"queue.js", queue_js, sizeof queue_js},
    {"recorded.js", recorded_js, sizeof recorded_js},
    {"report.js", report_js, sizeof report_js},
    {"review.css", review_css, sizeof review_css},
    {"review.html", review_html, sizeof review_html},
    {"review.js", review_js, sizeof review_js},
    {"reviews.js", reviews_js, sizeof reviews_js},
    {"sample.jpg", sample_jpg, sizeof sample_jpg},
    {"samples.js", samples_js, sizeof samples_js},
    {"scale.js", scale_js, sizeof scale_js},
    {"schema.js", schema_js, sizeof schema_js},
    {"service.js", service_js, sizeof service_js},
    {"session.js", session_js, sizeof session_js},
    {"status.css", status_css, sizeof status_css},
    {"status.html", status_html, sizeof status_html},
    {"status.js", status_js, sizeof status_js},
    {"style.css", style_css, sizeof style_css},
    {"thumbnails.js", thumbnails_js, sizeof thumbnails_js},
    {"tile.js", tile_js, sizeof tile_js},
    {"token.js", token_js, sizeof token_js},
    {"viewer.css", viewer_css, sizeof viewer_css},
    {"viewer.js", viewer_js, sizeof viewer_js},
    {"words.js", words_js, sizeof words_js},
    {"zoom.js", zoom_js, sizeof zoom_js},
};

const size_t bifrons_page_count = sizeof bifrons_pages / sizeof bifrons_pages[0];

const struct bifrons_page *bifrons_page_table(void) {
    return bifrons_pages;
}

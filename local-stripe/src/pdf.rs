//! Renders an invoice or a quote as a PDF file, in the fonts that every reader has.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};

/// The content of a document. Each text is one line, and amounts are aligned to the right edge.
#[derive(Debug)]
pub struct Sheet<'s> {
    /// The business name.
    pub business: &'s str,
    /// The heading.
    pub title: &'s str,
    /// Facts, each with a label.
    pub facts: Vec<(&'static str, String)>,
    /// Lines: a description, a smaller text that may be empty, and an amount.
    pub lines: Vec<(String, String, String)>,
    /// Totals, each with a label.
    pub sums: Vec<(&'static str, String)>,
}

/// The paper width (A4) in points.
const WIDTH: f32 = 595.0;
/// The paper height in points.
const HEIGHT: f32 = 842.0;
/// The margin on each side in points.
const MARGIN: f32 = 56.0;
/// The row height in points.
const ROW: f32 = 18.0;
/// The character width of the font for amounts, as a fraction of its size.
const COURIER: f32 = 0.6;
/// The maximum number of characters of a text that fit next to an amount.
const CHARS_MAX: usize = 72;

const WORDS: Name<'_> = Name(b"F1");
const BOLD: Name<'_> = Name(b"F2");
const AMOUNTS: Name<'_> = Name(b"F3");
const FONTS: [(Name<'_>, &[u8], i32); 3] =
    [(WORDS, b"Helvetica", 3), (BOLD, b"Helvetica-Bold", 4), (AMOUNTS, b"Courier", 5)];
/// The number of the first page's object; each page has two objects.
const FIRST_PAGE: i32 = 10;

/// Encodes a text for the fonts (WinAnsi, which covers western European letters). Other characters become `?`.
fn encoded(text: &str) -> Vec<u8> {
    let one = |c: char| match c {
        '€' => 0x80,
        '…' => 0x85,
        '–' => 0x96,
        '—' => 0x97,
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(c)).unwrap_or(b'?'),
        _ => b'?',
    };
    text.chars().take(CHARS_MAX).map(one).collect()
}

/// Writes rows from the top to the bottom of a page, and then begins the next page.
struct Writer {
    pages: Vec<Content>,
    y: f32,
}

impl Writer {
    /// Moves to the next row.
    fn next(&mut self, rows: f32) {
        self.y -= ROW * rows;
        if self.y < MARGIN || self.pages.is_empty() {
            self.pages.push(Content::new());
            self.y = HEIGHT - MARGIN;
        }
    }

    fn text(&mut self, font: Name<'_>, size: f32, x: f32, text: &str) {
        let y = self.y;
        if let Some(page) = self.pages.last_mut() {
            page.begin_text().set_font(font, size).next_line(x, y).show(Str(&encoded(text))).end_text();
        }
    }

    fn amount(&mut self, text: &str) {
        let size = 10.0;
        let width = encoded(text).len() as f32 * COURIER * size;
        self.text(AMOUNTS, size, WIDTH - MARGIN - width, text);
    }
}

/// Returns the bytes of the file.
pub fn file(sheet: &Sheet<'_>) -> Vec<u8> {
    let mut writer = Writer { pages: Vec::new(), y: 0.0 };
    writer.next(0.0);
    writer.text(BOLD, 11.0, MARGIN, sheet.business);
    writer.next(2.0);
    writer.text(BOLD, 18.0, MARGIN, sheet.title);
    writer.next(1.0);
    for (label, value) in &sheet.facts {
        writer.next(1.0);
        writer.text(WORDS, 10.0, MARGIN, label);
        writer.text(WORDS, 10.0, MARGIN + 90.0, value);
    }
    writer.next(1.0);
    for (words, small, amount) in &sheet.lines {
        writer.next(1.0);
        writer.text(WORDS, 10.0, MARGIN, words);
        writer.amount(amount);
        if !small.is_empty() {
            writer.next(0.75);
            writer.text(WORDS, 8.0, MARGIN, small);
        }
    }
    writer.next(1.0);
    for (label, amount) in &sheet.sums {
        writer.next(1.0);
        writer.text(BOLD, 10.0, WIDTH / 2.0, label);
        writer.amount(amount);
    }
    whole(writer.pages)
}

fn whole(pages: Vec<Content>) -> Vec<u8> {
    let mut pdf = Pdf::new();
    let (catalog, tree) = (Ref::new(1), Ref::new(2));
    pdf.catalog(catalog).pages(tree);
    let ids: Vec<Ref> = (FIRST_PAGE..).step_by(2).map(Ref::new).take(pages.len()).collect();
    pdf.pages(tree).kids(ids.iter().copied()).count(i32::try_from(pages.len()).unwrap_or(i32::MAX));
    for (_, name, id) in FONTS {
        let mut font = pdf.type1_font(Ref::new(id));
        font.base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    for (id, content) in ids.into_iter().zip(pages) {
        let content_id = Ref::new(id.get() + 1);
        let mut page = pdf.page(id);
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(content_id);
        let mut resources = page.resources();
        let mut fonts = resources.fonts();
        for (name, _, font) in FONTS {
            fonts.pair(name, Ref::new(font));
        }
        fonts.finish();
        resources.finish();
        page.finish();
        pdf.stream(content_id, &content.finish());
    }
    pdf.finish()
}

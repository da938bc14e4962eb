//! Reads the form of a new note, in the format `multipart/form-data`.

use crate::error::{FILE_NAME_MAX, Mistake, TEXT_MAX};
use crate::name::is_name;
use bytes::Bytes;
use multer::{Field, Multipart};
use std::convert::Infallible;

/// The media type of a file that was sent without one, or with one that no header may contain.
const UNKNOWN_KIND: &str = "application/octet-stream";
/// Maximum characters of a media type.
const KIND_MAX: usize = 127;

/// A form as it was sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub name: String,
    pub text: String,
    pub file: Option<SentFile>,
}

/// A file as it was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SentFile {
    pub name: String,
    pub kind: String,
    pub content: Bytes,
}

/// Reasons why a body is not the form of a note.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormError {
    #[error("`Content-Type` is `{0}`: expected `multipart/form-data` with a boundary")]
    Kind(String),
    #[error("the form can't be read: {0}")]
    Broken(#[from] multer::Error),
    #[error("the form has the field `{0}`: expected `name`, `text` and `file`, each once")]
    Field(String),
    #[error("`{0}` is not UTF-8: expected text in UTF-8")]
    NotUtf8(&'static str),
}

/// Reads a form with the content type `kind`.
///
/// # Errors
///
/// Fails if the body is not a form with these fields.
pub(crate) async fn read(kind: &str, body: Bytes) -> Result<Form, FormError> {
    let boundary = multer::parse_boundary(kind).map_err(|_| FormError::Kind(kind.chars().take(80).collect()))?;
    let stream = futures_util::stream::iter([Ok::<_, Infallible>(body)]);
    let mut parts = Multipart::new(stream, boundary);
    let (mut name, mut text, mut file) = (None, None, None);
    while let Some(field) = parts.next_field().await? {
        let found = field.name().unwrap_or_default().to_owned();
        match found.as_str() {
            "name" if name.is_none() => name = Some(utf8("name", field).await?),
            "text" if text.is_none() => text = Some(utf8("text", field).await?),
            "file" if file.is_none() => file = Some(sent_file(field).await?),
            _ => return Err(FormError::Field(found.chars().take(80).collect())),
        }
    }
    // Browsers send line endings as CR LF.
    let text = text.unwrap_or_default().replace("\r\n", "\n");
    Ok(Form { name: name.unwrap_or_default().trim().to_owned(), text, file: file.flatten() })
}

async fn utf8(name: &'static str, field: Field<'_>) -> Result<String, FormError> {
    String::from_utf8(field.bytes().await?.into()).map_err(|_| FormError::NotUtf8(name))
}

/// Returns the file. None if the customer chose none: then browsers send an empty file without a name.
async fn sent_file(field: Field<'_>) -> Result<Option<SentFile>, FormError> {
    // Some browsers put the folders before the file name.
    let name = field.file_name().unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|letter| !letter.is_control()).collect();
    let kind = field.content_type().map(|kind| kind.as_ref().to_owned()).unwrap_or_default();
    let is_kind = (1..=KIND_MAX).contains(&kind.len()) && kind.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let kind = if is_kind { kind } else { UNKNOWN_KIND.to_owned() };
    let content = field.bytes().await?;
    Ok((!name.is_empty() || !content.is_empty()).then_some(SentFile { name, kind, content }))
}

impl Form {
    /// Returns the mistakes that can be found without the database.
    pub fn mistakes(&self, has_bucket: bool) -> Vec<Mistake> {
        let mut found = Vec::new();
        if !is_name(&self.name) {
            found.push(Mistake::Name(self.name.chars().take(FILE_NAME_MAX).collect()));
        }
        found.extend(text_mistake(&self.text));
        match &self.file {
            None if self.text.is_empty() => found.push(Mistake::Empty),
            None => {}
            Some(_) if !has_bucket => found.push(Mistake::NoBucket),
            Some(file) if file.name.is_empty() => found.push(Mistake::FileUnnamed),
            Some(file) => {
                let length = file.name.chars().count();
                found.extend((length > FILE_NAME_MAX).then_some(Mistake::FileNameLong(length)));
            }
        }
        found
    }
}

/// Returns the mistake in a text. PostgreSQL can't store the character NUL.
pub(crate) fn text_mistake(text: &str) -> Option<Mistake> {
    match text {
        long if long.len() > TEXT_MAX => Some(Mistake::TextLong(long.len())),
        nul if nul.contains('\0') => Some(Mistake::TextNul),
        _ => None,
    }
}

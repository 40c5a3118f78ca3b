//! `[store]`: where readings are kept, in a file of this machine or in an InfluxDB 2.

use std::path::PathBuf;

use influx::{Target, Token};

use super::Reader;

/// Where readings are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Backend {
    /// In a file among the data.
    Embedded,
    /// In an InfluxDB 2.
    Influx(Influx),
}

/// Which bucket, and where its token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Influx {
    url: String,
    org: String,
    bucket: String,
    token_file: PathBuf,
}

impl Influx {
    /// Returns the bucket with the token that the file holds now.
    ///
    /// # Errors
    /// What is wrong, with the key to correct.
    pub(crate) fn target(&self) -> Result<Target, String> {
        let file = self.token_file.display();
        let text = std::fs::read_to_string(&self.token_file)
            .map_err(|error| format!("store.token_file: cannot read `{file}`: {error}"))?;
        let token = Token::new(text.lines().next().unwrap_or_default());
        Target::new(&self.url, &self.org, &self.bucket, token)
            .map_err(|error| format!("{error} (token from `{file}`)"))
    }
}

impl Reader<'_> {
    /// Reads where readings are kept.
    pub(super) fn backend(&mut self) -> Option<Backend> {
        const OTHERS: [&str; 4] = ["store.url", "store.org", "store.bucket", "store.token_file"];
        match self.text_or_default("store.kind")?.as_str() {
            "embedded" => {
                for key in OTHERS {
                    if self.value(key).is_some() {
                        self.fault(
                            key,
                            "goes with `store.kind = \"influx\"`: set that, or remove it",
                        );
                    }
                }
                Some(Backend::Embedded)
            }
            "influx" => {
                for key in OTHERS {
                    if self.value(key).is_none() {
                        self.fault(key, "is required beside `store.kind = \"influx\"`");
                    }
                }
                for key in ["store.keep_raw", "store.keep_ten_minutes", "store.keep_raw_of"] {
                    if self.value(key).is_some() {
                        self.fault(
                            key,
                            "goes with the file store: an InfluxDB bucket has a retention",
                        );
                    }
                }
                let [url, org, bucket, token_file] = OTHERS.map(|key| self.text(key));
                let token_file = PathBuf::from(token_file?);
                let (url, org, bucket) = (url?, org?, bucket?);
                if !token_file.is_file() {
                    let message = format!("`{}` is no file that can be read", token_file.display());
                    self.fault("store.token_file", message);
                }
                if let Err(error) = Target::new(&url, &org, &bucket, Token::new("unknown-yet")) {
                    let key = match &error {
                        influx::Error::Setting { what: "bucket", .. } => "store.bucket",
                        influx::Error::Setting { .. } => "store.org",
                        _ => "store.url",
                    };
                    self.fault(key, error.to_string());
                }
                Some(Backend::Influx(Influx { url, org, bucket, token_file }))
            }
            other => {
                let message = format!("`{other}` is neither `embedded` nor `influx`");
                self.fault("store.kind", message);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, tests::faulty_keys};
    use super::*;

    #[test]
    fn readings_stay_here_unless_the_file_says_otherwise() {
        assert_eq!(parse("data = \"d\"").unwrap().backend, Backend::Embedded);
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "secret\nmore\n").unwrap();
        let text = format!(
            "data = \"d\"\n[store]\nkind = \"influx\"\nurl = \"http://127.0.0.1:8086\"\n\
             org = \"o\"\nbucket = \"b\"\ntoken_file = \"{}\"",
            token.path().display()
        );
        let Backend::Influx(influx) = parse(&text).unwrap().backend else { panic!("it is one") };
        let expect = Target::new("http://127.0.0.1:8086", "o", "b", Token::new("secret")).unwrap();
        assert_eq!(influx.target(), Ok(expect));
        std::fs::write(token.path(), "\n").unwrap();
        let error = influx.target().unwrap_err();
        assert!(error.contains("token is empty"), "{error}");
        assert!(!format!("{influx:?}").contains("secret"));
    }

    #[test]
    fn faults_of_the_bucket_are_named_with_their_keys() {
        faulty_keys("data = \"d\"\n[store]\nkind = \"oracle\"", &["store.kind"]);
        faulty_keys("data = \"d\"\n[store]\nurl = \"http://h\"", &["store.url"]);
        faulty_keys(
            "data = \"d\"\n[store]\nkind = \"influx\"\nurl = \"http://h\"",
            &["store.org", "store.bucket", "store.token_file"],
        );
        let with = |url: &str| {
            format!(
                "data = \"d\"\n[store]\nkind = \"influx\"\nurl = \"{url}\"\norg = \"o\"\n\
                 bucket = \"b\"\ntoken_file = \"/nowhere\""
            )
        };
        faulty_keys(&with("http://h"), &["store.token_file"]);
        faulty_keys(&with("http://h/influx"), &["store.token_file", "store.url"]);
    }
}

//! Which language a voice speaks, where that is known.
//!
//! A Google voice carries its language in its name. For Polly's the list is that of Amazon's page of voices,
//! <https://docs.aws.amazon.com/polly/latest/dg/available-voices.html>; a voice that is not in it is not judged.

/// The languages of a voice; none when they are not known.
pub(super) fn languages(voice: &str) -> Vec<&str> {
    if let Some(name) = voice.strip_prefix("Google.") {
        let mut parts = name.splitn(3, '-');
        let length = parts
            .next()
            .zip(parts.next())
            .map(|(language, region)| language.len() + 1 + region.len());
        return length.map(|length| &name[..length]).into_iter().collect();
    }
    let Some(name) = voice.strip_prefix("Polly.") else {
        return Vec::new();
    };
    let name = ["-Neural", "-Generative", "-Long-Form"]
        .iter()
        .find_map(|kind| name.strip_suffix(kind))
        .unwrap_or(name);
    POLLY
        .iter()
        .filter(|(_, voices)| voices.split(' ').any(|voice| voice == name))
        .map(|(language, _)| *language)
        .collect()
}

const POLLY: [(&str, &str); 41] = [
    ("ar-AE", "Hala Zayd"),
    ("arb", "Zeina"),
    ("ca-ES", "Arlet"),
    ("cmn-CN", "Zhiyu"),
    ("cs-CZ", "Jitka"),
    ("cy-GB", "Gwyneth"),
    ("da-DK", "Mads Naja Sofie"),
    ("de-AT", "Hannah"),
    ("de-CH", "Sabrina"),
    ("de-DE", "Daniel Hans Marlene Vicki"),
    ("en-AU", "Nicole Olivia Russell"),
    ("en-GB", "Amy Arthur Brian Emma"),
    ("en-GB-WLS", "Geraint"),
    ("en-IE", "Niamh"),
    ("en-IN", "Aditi Kajal Raveena"),
    ("en-NZ", "Aria"),
    (
        "en-US",
        "Danielle Gregory Ivy Joanna Joey Justin Kendra Kevin Kimberly Matthew Patrick Ruth Salli Stephen",
    ),
    ("en-ZA", "Ayanda"),
    ("es-ES", "Alba Conchita Enrique Lucia Raul Sergio"),
    ("es-MX", "Andres Andrés Mia Mía"),
    ("es-US", "Lupe Miguel Pedro Penelope Penélope"),
    ("fi-FI", "Suvi"),
    ("fr-BE", "Isabelle"),
    ("fr-CA", "Chantal Gabrielle Liam"),
    ("fr-FR", "Celine Céline Lea Léa Mathieu Remi Rémi"),
    ("hi-IN", "Aditi Kajal"),
    ("is-IS", "Dora Dóra Karl"),
    ("it-IT", "Adriano Bianca Carla Giorgio"),
    ("ja-JP", "Kazuha Mizuki Takumi Tomoko"),
    ("ko-KR", "Jihye Seoyeon"),
    ("nb-NO", "Ida Liv"),
    ("nl-BE", "Lisa"),
    ("nl-NL", "Laura Lotte Ruben"),
    ("pl-PL", "Ewa Jacek Jan Maja Ola"),
    ("pt-BR", "Camila Ricardo Thiago Vitoria Vitória"),
    ("pt-PT", "Cristiano Ines Inês"),
    ("ro-RO", "Carmen"),
    ("ru-RU", "Maxim Tatyana"),
    ("sv-SE", "Astrid Elin"),
    ("tr-TR", "Burcu Filiz"),
    ("yue-CN", "Hiujin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_speaks_the_languages_that_are_known_of_it() {
        for (voice, wanted) in [
            ("Google.en-US-Wavenet-A", vec!["en-US"]),
            ("Google.cmn-CN-Standard-B", vec!["cmn-CN"]),
            ("Polly.Joanna-Neural", vec!["en-US"]),
            ("Polly.Joanna", vec!["en-US"]),
            ("Polly.Kajal-Generative", vec!["en-IN", "hi-IN"]),
            ("Polly.Nobody", vec![]),
            ("Google.x", vec![]),
            ("alice", vec![]),
        ] {
            assert_eq!(languages(voice), wanted, "{voice}");
        }
    }
}

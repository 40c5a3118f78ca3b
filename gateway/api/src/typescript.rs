//! The TypeScript of the JSON types, in one file. The dashboard's copy is committed; a test fails
//! when it is stale and writes it anew where `MIAOPU_WRITE_GENERATED` is set.

use ts_rs::{Config, TS};

use crate::types;

/// Where the dashboard keeps the generated file, seen from the root of the repository.
pub const PATH: &str = "dashboard/src/api/types.ts";

const HEAD: &str = "\
// Made from gateway/api/src/types.rs. Do not edit: change the Rust types and run
//   MIAOPU_WRITE_GENERATED=1 cargo test -p api --lib generated
";

/// Returns the text of the generated file.
pub fn text() -> String {
    let config = Config::new();
    let mut out = String::from(HEAD);
    macro_rules! types {
        ($($name:ident),* $(,)?) => { $( push::<types::$name>(&config, &mut out); )* };
    }
    types!(
        Name,
        Problem,
        Health,
        HealthStatus,
        SignIn,
        Session,
        PasswordChange,
        Role,
        Right,
        Overview,
        ZoneSummary,
        Deviation,
        Edge,
        Side,
        AlarmCounts,
        ChannelGlance,
        Channel,
        Latest,
        InputState,
        Band,
        BandLimit,
        ZoneDetail,
        BandTrack,
        BandStep,
        Span,
        StageSpan,
        Series,
        Severity,
        AlarmState,
        AlarmKind,
        Alarm,
        Alarms,
        AlarmDetail,
        AlarmEvent,
        AlarmEventKind,
        AlarmComment,
        Node,
        Event,
        Users,
        User,
        NewUser,
        Tokens,
        Token,
        NewToken,
        TokenSecret,
        Setup,
        Endpoint,
        Trust,
        Crop,
        CropMethod,
        CropStage,
        GrowingIds,
        Site,
        SiteZone,
        NewSite,
        NewZone,
        ZoneKind,
        NewNode,
        NodeSecret,
        Language,
        Contact,
        Notify,
        NotifyChannel,
        NotifyPerson,
        NotifyTest,
        Batches,
        Batch,
        BatchDetail,
        BatchStage,
        BatchPlacement,
        BatchEvent,
        NewBatch,
        BatchMove,
        BatchStageChange,
        BatchClose,
        Accessions,
        Accession,
        AccessionDetail,
        Descriptor,
        Import,
        ImportFault,
        BatchExposure,
        Exposure,
        Integral,
        BatchSeries,
        OffsetStage,
        Sheet,
        SheetZone,
        SheetQuantity,
        StudyRequest,
        StudyPreview,
        StudyRow,
        StudyFile,
        StudyCommands,
        Shelving,
        Shelve,
        SentMessage,
        AnswerToken,
        AnswerCard,
        Note,
        NewNote,
        Notes,
        Night,
        ConfirmLimit,
        LocalEpisode,
        NodeSettings,
        NodeChannelSettings,
        NodeCalibration,
        NodeOutputs,
        NodeSettingsChange,
        NodeSettingsState,
        NodeStanding,
        CalibrationPoint,
        NewCalibration,
        CalibrationWithdrawal,
        CalibrationWithdrawn,
        CalibrationWork,
        Calibration,
        Calibrations,
        CalibrationSpan,
        CalibrationTouched,
        NodeChannel,
        NodeLimit,
        NodeCommand,
        NodeAsk,
        NodeOutcome,
        NodeCommandStanding,
        Firmware,
        FirmwareRelease,
        FirmwareState,
        FirmwareRollout,
        FirmwareOffer,
        DeadLetters,
        DeadLetter,
        DeadLetterState,
    );
    out
}

fn push<T: TS>(config: &Config, out: &mut String) {
    out.push('\n');
    if let Some(docs) = T::docs() {
        out.push_str(&docs);
    }
    let text = format!("export {}", T::decl(config));
    for line in text.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn generated_typescript_is_the_committed_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(super::PATH);
        let text = super::text();
        if std::env::var_os("MIAOPU_WRITE_GENERATED").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is stale: run with MIAOPU_WRITE_GENERATED=1", super::PATH);
    }
}

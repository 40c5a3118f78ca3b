//! The code lists of MCPD v2.1, and what a cell says in words.

use crate::{Field, PartialDate, Words};

type Codes = [(&'static str, &'static str, &'static str)];

/// Biological status of accession.
const SAMPSTAT: &Codes = &[
    ("100", "野生", "wild"),
    ("110", "野生,自然的", "natural"),
    ("120", "野生,半自然的", "semi-natural/wild"),
    ("130", "野生,半自然、播种的", "semi-natural/sown"),
    ("200", "杂草", "weedy"),
    ("300", "地方品种(农家种)", "traditional cultivar/landrace"),
    ("400", "育种/研究材料", "breeding/research material"),
    ("410", "育种品系", "breeder's line"),
    ("411", "合成群体", "synthetic population"),
    ("412", "杂交种", "hybrid"),
    ("413", "原始群体/基础群体", "founder stock/base population"),
    ("414", "自交系(杂交种亲本)", "inbred line (parent of hybrid cultivar)"),
    ("415", "分离群体", "segregating population"),
    ("416", "无性系选择", "clonal selection"),
    ("420", "遗传材料", "genetic stock"),
    ("421", "突变体", "mutant"),
    ("422", "细胞遗传材料", "cytogenetic stock"),
    ("423", "其他遗传材料", "other genetic stock"),
    ("500", "改良品种(育成品种)", "advanced or improved cultivar"),
    ("600", "转基因材料", "GMO"),
    ("999", "其他(见备注)", "other (see REMARKS)"),
];

/// Collecting or acquisition source.
const COLLSRC: &Codes = &[
    ("10", "野生生境", "wild habitat"),
    ("11", "森林或林地", "forest or woodland"),
    ("12", "灌丛", "shrubland"),
    ("13", "草地", "grassland"),
    ("14", "荒漠或苔原", "desert or tundra"),
    ("15", "水生生境", "aquatic habitat"),
    ("20", "农场或栽培生境", "farm or cultivated habitat"),
    ("21", "大田", "field"),
    ("22", "果园", "orchard"),
    ("23", "庭院、菜园(宅旁)", "backyard, kitchen or home garden"),
    ("24", "休耕地", "fallow land"),
    ("25", "牧场", "pasture"),
    ("26", "农户仓库", "farm store"),
    ("27", "打谷场", "threshing floor"),
    ("28", "公园", "park"),
    ("30", "市场或商店", "market or shop"),
    ("40", "科研单位、试验站、种质库", "institute, experimental station, genebank"),
    ("50", "种子公司", "seed company"),
    ("60", "杂草、扰动或荒废生境", "weedy, disturbed or ruderal habitat"),
    ("61", "路边", "roadside"),
    ("62", "田边", "field margin"),
    ("99", "其他(见备注)", "other (see REMARKS)"),
];

/// Type of germplasm storage.
const STORAGE: &Codes = &[
    ("10", "种子保存", "seed collection"),
    ("11", "种子,短期", "seed, short term"),
    ("12", "种子,中期", "seed, medium term"),
    ("13", "种子,长期", "seed, long term"),
    ("20", "田间保存(种质圃)", "field collection"),
    ("30", "离体保存", "in vitro collection"),
    ("40", "超低温保存", "cryo-preserved collection"),
    ("50", "DNA 保存", "DNA collection"),
    ("99", "其他(见备注)", "other (see REMARKS)"),
];

/// Status in the Multilateral System of the International Treaty.
const MLSSTAT: &Codes = &[
    ("0", "未纳入多边系统", "not included in the Multilateral System"),
    ("1", "已纳入多边系统", "included in the Multilateral System"),
    ("99", "其他(见备注)", "other (see REMARKS)"),
];

/// Returns the codes that a field may hold; `None` where it may hold anything.
pub(crate) const fn codes(field: Field) -> Option<&'static Codes> {
    match field {
        Field::SampStat => Some(SAMPSTAT),
        Field::CollSrc => Some(COLLSRC),
        Field::Storage => Some(STORAGE),
        Field::MlsStat => Some(MLSSTAT),
        _ => None,
    }
}

/// Returns what a cell says, where it is a code or a date; `None` for any other text.
pub fn meaning(field: Field, value: &str) -> Option<Words> {
    if matches!(field, Field::AcqDate | Field::CollDate) {
        return value.parse().ok().map(PartialDate::words);
    }
    let codes = codes(field)?;
    let mut said: Option<Words> = None;
    for part in value.split(';') {
        let (_, zh, en) = codes.iter().find(|(code, ..)| *code == part.trim())?;
        said = Some(match said {
            Some(so_far) => {
                Words::new(format!("{};{zh}", so_far.zh), format!("{}; {en}", so_far.en))
            }
            None => Words::new(*zh, *en),
        });
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_dates_say_what_they_mean() {
        let en = |field, value| meaning(field, value).map(|it| it.en);
        assert_eq!(en(Field::SampStat, "300").as_deref(), Some("traditional cultivar/landrace"));
        assert_eq!(
            en(Field::Storage, "13;20").as_deref(),
            Some("seed, long term; field collection")
        );
        assert_eq!(
            en(Field::CollDate, "1959----").as_deref(),
            Some("1959, month and day not known")
        );
        assert_eq!(en(Field::SampStat, "301"), None);
        assert_eq!(en(Field::Remarks, "300"), None);
        assert_eq!(en(Field::MlsStat, ""), None);
    }
}

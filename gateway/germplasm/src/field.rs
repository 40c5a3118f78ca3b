//! The 41 descriptors of MCPD v2.1: their codes and what they are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Words;

macro_rules! fields {
    ($($name:ident, $code:literal, $zh:literal, $en:literal;)*) => {
        /// A descriptor of MCPD v2.1, in the standard's order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $(#[doc = $en] $name,)*
        }

        impl Field {
            /// Every descriptor, in the standard's order.
            pub const ALL: [Self; 41] = [$(Self::$name,)*];

            /// Returns its code, such as `COLLDATE`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns what it is.
            pub fn name(self) -> Words {
                match self { $(Self::$name => Words::new($zh, $en),)* }
            }
        }
    };
}

fields! {
    Puid, "PUID", "永久唯一标识", "Persistent unique identifier";
    InstCode, "INSTCODE", "保存单位代码", "Institute code";
    AcceNumb, "ACCENUMB", "种质编号", "Accession number";
    CollNumb, "COLLNUMB", "采集号", "Collecting number";
    CollCode, "COLLCODE", "采集单位代码", "Collecting institute code";
    CollName, "COLLNAME", "采集单位名称", "Collecting institute name";
    CollInstAddress, "COLLINSTADDRESS", "采集单位地址", "Collecting institute address";
    CollMissId, "COLLMISSID", "考察队编号", "Collecting mission identifier";
    Genus, "GENUS", "属", "Genus";
    Species, "SPECIES", "种", "Species";
    SpAuthor, "SPAUTHOR", "种定名人", "Species authority";
    SubTaxa, "SUBTAXA", "种下单位", "Subtaxon";
    SubtAuthor, "SUBTAUTHOR", "种下单位定名人", "Subtaxon authority";
    CropName, "CROPNAME", "作物名称", "Common crop name";
    AcceName, "ACCENAME", "种质名称", "Accession name";
    AcqDate, "ACQDATE", "入库日期", "Acquisition date";
    OrigCty, "ORIGCTY", "原产国", "Country of origin";
    CollSite, "COLLSITE", "采集地点", "Location of collecting site";
    DecLatitude, "DECLATITUDE", "采集地纬度(十进制度)", "Latitude of collecting site, decimal degrees";
    Latitude, "LATITUDE", "采集地纬度(度分秒)", "Latitude of collecting site, degrees, minutes, seconds";
    DecLongitude, "DECLONGITUDE", "采集地经度(十进制度)", "Longitude of collecting site, decimal degrees";
    Longitude, "LONGITUDE", "采集地经度(度分秒)", "Longitude of collecting site, degrees, minutes, seconds";
    CoordUncert, "COORDUNCERT", "坐标不确定度(米)", "Coordinate uncertainty, metres";
    CoordDatum, "COORDDATUM", "坐标基准", "Coordinate datum";
    GeorefMeth, "GEOREFMETH", "定位方法", "Georeferencing method";
    Elevation, "ELEVATION", "采集地海拔(米)", "Elevation of collecting site, metres above sea level";
    CollDate, "COLLDATE", "采集日期", "Collecting date";
    BredCode, "BREDCODE", "育种单位代码", "Breeding institute code";
    BredName, "BREDNAME", "育种单位名称", "Breeding institute name";
    SampStat, "SAMPSTAT", "生物学状态", "Biological status of accession";
    Ancest, "ANCEST", "系谱", "Ancestral data";
    CollSrc, "COLLSRC", "采集来源", "Collecting or acquisition source";
    DonorCode, "DONORCODE", "提供单位代码", "Donor institute code";
    DonorName, "DONORNAME", "提供单位名称", "Donor institute name";
    DonorNumb, "DONORNUMB", "提供单位的种质编号", "Donor accession number";
    OtherNumb, "OTHERNUMB", "其他编号", "Other identifiers of the accession";
    DuplSite, "DUPLSITE", "安全备份单位代码", "Location of safety duplicates";
    DuplInstName, "DUPLINSTNAME", "安全备份单位名称", "Name of the institute of safety duplicates";
    Storage, "STORAGE", "保存方式", "Type of germplasm storage";
    MlsStat, "MLSSTAT", "多边系统状态", "Multilateral System status";
    Remarks, "REMARKS", "备注", "Remarks";
}

impl Field {
    /// Returns the descriptor of that code, in whatever case.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.code().eq_ignore_ascii_case(code))
    }

    /// Returns whether it may hold several values, parted by `;`.
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::CollCode
                | Self::CollName
                | Self::CollInstAddress
                | Self::AcceName
                | Self::BredCode
                | Self::BredName
                | Self::OtherNumb
                | Self::DuplSite
                | Self::DuplInstName
                | Self::Storage
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(code: &str) -> Result<Self, UnknownField> {
        Self::of_code(code).ok_or_else(|| UnknownField(code.to_owned()))
    }
}

/// A code that is no descriptor's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no descriptor of MCPD v2.1")]
pub struct UnknownField(pub String);

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of the Germinate template for MCPD v2.1.
    const ORDER: &str = "PUID INSTCODE ACCENUMB COLLNUMB COLLCODE COLLNAME COLLINSTADDRESS COLLMISSID \
        GENUS SPECIES SPAUTHOR SUBTAXA SUBTAUTHOR CROPNAME ACCENAME ACQDATE ORIGCTY COLLSITE DECLATITUDE \
        LATITUDE DECLONGITUDE LONGITUDE COORDUNCERT COORDDATUM GEOREFMETH ELEVATION COLLDATE BREDCODE \
        BREDNAME SAMPSTAT ANCEST COLLSRC DONORCODE DONORNAME DONORNUMB OTHERNUMB DUPLSITE DUPLINSTNAME \
        STORAGE MLSSTAT REMARKS";

    #[test]
    fn there_are_41_descriptors_in_the_order_of_the_standard() {
        let codes: Vec<_> = Field::ALL.iter().map(|it| it.code()).collect();
        assert_eq!(codes, ORDER.split_whitespace().collect::<Vec<_>>());
        assert!(Field::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_code_is_found_in_any_case() {
        assert_eq!("colldate".parse(), Ok(Field::CollDate));
        assert_eq!("COLLDATES".parse::<Field>(), Err(UnknownField("COLLDATES".to_owned())));
    }
}

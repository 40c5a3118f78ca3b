//! What to check and what to do about an alarm, in both languages. Short: it is read at 03:00. Our
//! own proposals (class G) until each nursery edits its own.

use alarms::{Episode, RuleKind, Side};
use measure::Quantity;

use crate::Words;

/// What to check and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What to check.
    pub check: Words,
    /// What to do.
    pub action: Words,
}

/// Returns the advice for an alarm.
pub fn of(episode: &Episode) -> Advice {
    match (episode.kind, episode.side) {
        (RuleKind::Stale, _) => advice(SILENT),
        (RuleKind::Fault, _) => advice(FAULT),
        (RuleKind::Limit, side) => advice(limit(episode.quantity, side.unwrap_or(Side::High))),
    }
}

/// Check and action, each in Chinese and English.
type Texts = [&'static str; 4];

fn advice([check_zh, check_en, action_zh, action_en]: Texts) -> Advice {
    Advice {
        check: Words { zh: check_zh, en: check_en },
        action: Words { zh: action_zh, en: action_en },
    }
}

const SILENT: Texts = [
    "节点电源和指示灯;天线与网络;同一房间的其他节点是否也无数据。",
    "The node's power and light; its aerial and the network; whether its neighbours are silent too.",
    "重新插电或更换电池;恢复前用手持仪表巡查该区域。",
    "Power it again or change its battery; until it is back, walk round with a hand-held meter.",
];

const FAULT: Texts = [
    "传感器接头是否松动、进水或结露;线缆是否被拉断或咬断。",
    "Whether the sensor's plug is loose, wet or dewy; whether the cable was pulled or gnawed.",
    "重新插紧或更换传感器;恢复前用手持仪表测量。",
    "Plug it in again or replace the sensor; until then measure by hand.",
];

fn limit(quantity: Quantity, side: Side) -> Texts {
    match (quantity, side) {
        (Quantity::AirTemperature, Side::High) => [
            "天窗、侧窗和遮阳网是否打开;风机和湿帘是否运转;探头是否被阳光直射。",
            "Vents and shade screen; fans and wet pad; whether the sun shines on the probe.",
            "打开通风和遮阳,启动喷雾;仍高于限值时把苗盘移到阴凉处。",
            "Open vents and shade, start the mist; if it stays above, move the trays into shade.",
        ],
        (Quantity::AirTemperature, Side::Low) => [
            "加温设备和燃料或电源;门窗是否关严;保温幕是否合拢。",
            "Heater and its fuel or power; doors and vents; the thermal screen.",
            "关严门窗、合拢保温幕、启动备用加温;有霜冻危险时覆盖苗床。",
            "Close up, draw the screen, start the spare heater; cover the beds where frost threatens.",
        ],
        (Quantity::RelativeHumidity, Side::High) => [
            "喷雾阀是否关不严;风机是否运转;叶面是否持续有水膜。",
            "Whether the mist valve leaks; the fans; whether leaves stay wet.",
            "停止喷雾并通风;检查有无灰霉和猝倒病。",
            "Stop the mist and ventilate; look for grey mould and damping-off.",
        ],
        (Quantity::RelativeHumidity, Side::Low) => [
            "喷雾泵、电磁阀和喷头;水源压力;门窗是否敞开。",
            "Mist pump, valve and nozzles; water pressure; open doors and vents.",
            "手动喷雾或洒水,减少通风并遮阳;修复喷雾阀。",
            "Mist or water by hand, ventilate less, shade; repair the mist valve.",
        ],
        (Quantity::SubstrateMoisture, Side::High) => [
            "灌溉阀是否关不严;排水孔是否堵塞。",
            "Whether the irrigation valve leaks; whether the drains are blocked.",
            "停止灌溉并排水;检查根系是否发黑。",
            "Stop watering and drain; look whether roots turn dark.",
        ],
        (Quantity::SubstrateMoisture, Side::Low) => [
            "灌溉泵、阀门和滴头;探头是否松动。",
            "Irrigation pump, valve and drippers; whether the probe sits tight.",
            "手动补水,少量多次;修复灌溉。",
            "Water by hand, little and often; repair the irrigation.",
        ],
        (Quantity::Co2, Side::High) => [
            "通风是否关闭;燃烧加温或二氧化碳施放是否失控。人员进入前先通风!",
            "Closed vents; a burner or the CO₂ supply out of control. Ventilate before going in!",
            "立即通风,关闭二氧化碳和燃烧器。",
            "Ventilate at once; shut off the CO₂ and the burner.",
        ],
        (Quantity::Co2, Side::Low) => [
            "白天通风是否不足;二氧化碳施放是否停止。",
            "Too little ventilation by day; whether the CO₂ supply has stopped.",
            "增加通风或恢复施放。",
            "Ventilate more, or start the supply again.",
        ],
        (Quantity::Illuminance | Quantity::Ppfd | Quantity::DailyLightIntegral, Side::High) => [
            "遮阳网是否展开;补光灯是否忘关。",
            "The shade screen; whether lamps were left on.",
            "展开遮阳网,关闭补光灯。",
            "Draw the shade, switch off the lamps.",
        ],
        (Quantity::Illuminance | Quantity::Ppfd | Quantity::DailyLightIntegral, Side::Low) => [
            "补光灯和定时器;遮阳网是否忘收;传感器是否积尘。",
            "Lamps and their timer; shade left drawn; dust on the sensor.",
            "收起遮阳网,打开补光灯。",
            "Open the shade, switch on the lamps.",
        ],
        (Quantity::SubstrateEc, Side::High) => [
            "配肥浓度;基质是否过干。",
            "The fertiliser's strength; whether the substrate is too dry.",
            "用清水淋洗,重新配肥。",
            "Rinse with clear water; mix the feed anew.",
        ],
        (Quantity::SubstrateEc, Side::Low) => [
            "配肥泵和肥桶;是否灌水过多。",
            "Dosing pump and feed tank; too much water.",
            "恢复配肥。",
            "Start the feed again.",
        ],
        (Quantity::SubstratePh, _) => [
            "灌溉水和肥液的酸碱度;电极是否需要校准。",
            "The pH of water and feed; whether the electrode needs calibration.",
            "校准电极后再调节酸碱度。",
            "Calibrate the electrode first, then correct the pH.",
        ],
        (Quantity::SupplyVoltage, Side::Low) => [
            "节点电池和太阳能板;接线端子。",
            "The node's battery and solar panel; its terminals.",
            "更换或充电电池。",
            "Change or charge the battery.",
        ],
        (Quantity::VapourPressureDeficit, Side::High) => [
            "空气是否过干过热;喷雾与遮阳。",
            "Air too dry and hot; mist and shade.",
            "喷雾并遮阳。",
            "Mist and shade.",
        ],
        (Quantity::VapourPressureDeficit, Side::Low) => [
            "空气是否过湿;通风与加温。",
            "Air too wet; ventilation and heating.",
            "通风,必要时稍加温。",
            "Ventilate, and heat a little where needed.",
        ],
        (Quantity::SubstrateTemperature | Quantity::WaterTemperature, Side::High) => [
            "地热或水加温的温控器;日晒。",
            "The thermostat of floor or water heating; the sun.",
            "关闭加温,遮阳或换水降温。",
            "Switch the heating off; shade, or cool with fresh water.",
        ],
        (Quantity::SubstrateTemperature | Quantity::WaterTemperature, Side::Low) => [
            "地热或水加温的电源和温控器。",
            "Power and thermostat of floor or water heating.",
            "恢复加温并覆盖保温。",
            "Heat again and cover.",
        ],
        (Quantity::SurfaceTemperature, Side::Low) => [
            "露天苗床是否将结霜;天空是否晴朗无风。",
            "Whether frost is near on open beds; a clear and still sky.",
            "覆盖无纺布或熏烟、喷水防霜。",
            "Cover with fleece; fog or sprinkle against frost.",
        ],
        (Quantity::SurfaceTemperature, Side::High) => [
            "日晒是否过强;遮阳是否展开。",
            "Too much sun; whether the shade is drawn.",
            "展开遮阳并喷雾。",
            "Draw the shade and mist.",
        ],
        (Quantity::LeafWetness, Side::High) => [
            "叶面是否长时间潮湿;喷雾是否过密。",
            "Leaves wet for long; mist too frequent.",
            "通风,减少喷雾,留意病害。",
            "Ventilate, mist less, look for disease.",
        ],
        (Quantity::WindSpeed, Side::High) => [
            "天窗、侧窗和薄膜;遮阳网是否收好。",
            "Vents, side curtains and film; whether the screens are in.",
            "关窗,收起遮阳网,压紧薄膜。",
            "Close the vents, draw the screens in, fasten the film.",
        ],
        (Quantity::Rainfall, Side::High) => [
            "天窗是否关闭;排水沟是否畅通。",
            "Whether the vents are shut; whether the drains run free.",
            "关闭天窗,疏通排水。",
            "Close the vents, clear the drains.",
        ],
        (Quantity::SolarIrradiance, Side::High) => [
            "遮阳网是否展开。",
            "Whether the shade screen is drawn.",
            "展开遮阳网。",
            "Draw the shade.",
        ],
        (Quantity::MainsPresent, Side::Low) => [
            "是否停电;总开关、漏电保护和电表。",
            "A power cut; main switch, residual-current breaker and meter.",
            "合闸或启动发电机,先保通风和喷雾。",
            "Switch it on again or start the generator; ventilation and mist come first.",
        ],
        (Quantity::DoorOpen, Side::High) => {
            ["门或窗是否忘关。", "Whether a door or vent was left open.", "关好门窗。", "Close it."]
        }
        (Quantity::MistFlow, Side::Low) => [
            "水泵、过滤器和电磁阀;水压。",
            "Pump, filter and solenoid valve; the water pressure.",
            "恢复供水,必要时人工喷雾。",
            "Get water flowing again; mist by hand where needed.",
        ],
        (Quantity::MistFlow, Side::High) => [
            "电磁阀是否卡住;是否漏水。",
            "A valve that sticks open; a leak.",
            "关闭手动阀,检修电磁阀。",
            "Close the hand valve and mend the solenoid.",
        ],
        (_, _) => [
            "传感器读数是否可信;现场有何变化。",
            "Whether the reading can be trusted; what has changed on site.",
            "到现场查看并恢复到目标范围。",
            "Go and look, and bring it back into its band.",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_advice_in_both_languages() {
        for quantity in Quantity::ALL {
            for side in [Side::High, Side::Low] {
                let texts = limit(quantity, side);
                assert!(texts.iter().all(|text| !text.is_empty()));
                assert!(texts[0].contains(|c: char| !c.is_ascii()) && texts[1].len() > 10);
            }
        }
    }
}

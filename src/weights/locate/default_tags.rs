//! The names of timm's weights.

/// timm's default weights for each name; networks without any are not here.
pub const DEFAULT_TAGS: [(&str, &str); 64] = [
    ("ecaresnet26t", "ra2_in1k"),
    ("ecaresnet50d", "miil_in1k"),
    ("ecaresnet50d_pruned", "miil_in1k"),
    ("ecaresnet50t", "ra2_in1k"),
    ("ecaresnet101d", "miil_in1k"),
    ("ecaresnet101d_pruned", "miil_in1k"),
    ("ecaresnet269d", "ra2_in1k"),
    ("ecaresnetlight", "miil_in1k"),
    ("resnet10t", "c3_in1k"),
    ("resnet14t", "c3_in1k"),
    ("resnet18", "a1_in1k"),
    ("resnet18d", "ra2_in1k"),
    ("resnet26", "bt_in1k"),
    ("resnet26d", "bt_in1k"),
    ("resnet26t", "ra2_in1k"),
    ("resnet34", "a1_in1k"),
    ("resnet34d", "ra2_in1k"),
    ("resnet50", "a1_in1k"),
    ("resnet50_gn", "a1h_in1k"),
    ("resnet50c", "gluon_in1k"),
    ("resnet50d", "ra2_in1k"),
    ("resnet50s", "gluon_in1k"),
    ("resnet101", "a1h_in1k"),
    ("resnet101c", "gluon_in1k"),
    ("resnet101d", "ra2_in1k"),
    ("resnet101s", "gluon_in1k"),
    ("resnet152", "a1h_in1k"),
    ("resnet152c", "gluon_in1k"),
    ("resnet152d", "ra2_in1k"),
    ("resnet152s", "gluon_in1k"),
    ("resnet200d", "ra2_in1k"),
    ("resnetaa50", "a1h_in1k"),
    ("resnetaa50d", "sw_in12k_ft_in1k"),
    ("resnetaa101d", "sw_in12k_ft_in1k"),
    ("resnetblur50", "bt_in1k"),
    ("resnetrs50", "tf_in1k"),
    ("resnetrs101", "tf_in1k"),
    ("resnetrs152", "tf_in1k"),
    ("resnetrs200", "tf_in1k"),
    ("resnetrs270", "tf_in1k"),
    ("resnetrs350", "tf_in1k"),
    ("resnetrs420", "tf_in1k"),
    ("resnext50_32x4d", "a1h_in1k"),
    ("resnext50d_32x4d", "bt_in1k"),
    ("resnext101_32x4d", "fb_ssl_yfcc100m_ft_in1k"),
    ("resnext101_32x8d", "tv_in1k"),
    ("resnext101_32x16d", "fb_wsl_ig1b_ft_in1k"),
    ("resnext101_32x32d", "fb_wsl_ig1b_ft_in1k"),
    ("resnext101_64x4d", "c1_in1k"),
    ("senet154", "gluon_in1k"),
    ("seresnet50", "a1_in1k"),
    ("seresnet152d", "ra2_in1k"),
    ("seresnext26d_32x4d", "bt_in1k"),
    ("seresnext26t_32x4d", "bt_in1k"),
    ("seresnext50_32x4d", "racm_in1k"),
    ("seresnext101_32x4d", "gluon_in1k"),
    ("seresnext101_32x8d", "ah_in1k"),
    ("seresnext101_64x4d", "gluon_in1k"),
    ("seresnext101d_32x8d", "ah_in1k"),
    ("seresnextaa101d_32x8d", "sw_in12k_ft_in1k_288"),
    ("seresnextaa201d_32x8d", "sw_in12k_ft_in1k_384"),
    ("test_resnet", "r160_in1k"),
    ("wide_resnet50_2", "racm_in1k"),
    ("wide_resnet101_2", "tv_in1k"),
];

/// The weights of old names, by what they begin with.
const OLD_TAGS: [(&str, &str); 5] = [
    ("tv_", "tv_in1k"),
    ("gluon_", "gluon_in1k"),
    ("ssl_", "fb_ssl_yfcc100m_ft_in1k"),
    ("swsl_", "fb_swsl_ig1b_ft_in1k"),
    ("ig_", "fb_wsl_ig1b_ft_in1k"),
];

/// Returns the tag of the weights that `name` means, which is a name of today or an old one.
pub fn default_tag(name: &str, today: &str) -> Option<&'static str> {
    let old = OLD_TAGS.iter().find(|(prefix, _)| name.starts_with(prefix));
    let default = DEFAULT_TAGS.iter().find(|(known, _)| *known == today);
    old.or(default).map(|(_, tag)| *tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;

    #[test]
    fn every_name_is_of_a_network_and_old_names_have_their_own_weights() {
        for (name, _) in DEFAULT_TAGS {
            assert!(ModelConfig::named(name).is_some(), "{name}");
        }
        assert_eq!(default_tag("resnet50d", "resnet50d"), Some("ra2_in1k"));
        assert_eq!(
            default_tag("gluon_resnet50_v1d", "resnet50d"),
            Some("gluon_in1k")
        );
        assert_eq!(default_tag("tv_resnet34", "resnet34"), Some("tv_in1k"));
        assert_eq!(default_tag("seresnet18", "seresnet18"), None);
    }
}

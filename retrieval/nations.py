"""Countries and the words for what is theirs: Russia and Russian, to tell whose office is meant."""

_NATIONS = (  # the country first
    "Afghanistan Afghan, Albania Albanian, Algeria Algerian, Argentina Argentine Argentinian, Armenia Armenian, "
    "Australia Australian, Austria Austrian, Azerbaijan Azerbaijani Azeri, Bangladesh Bangladeshi, Belarus "
    "Belarusian, Belgium Belgian, Bolivia Bolivian, Bosnia Bosnian, Brazil Brazilian, Britain British Briton UK, "
    "Bulgaria Bulgarian, Cambodia Cambodian, Cameroon Cameroonian, Canada Canadian, Chile Chilean, China Chinese, "
    "Colombia Colombian, Croatia Croatian, Cuba Cuban, Cyprus Cypriot, Denmark Danish Dane, Ecuador Ecuadorian, "
    "Egypt Egyptian, Estonia Estonian, Ethiopia Ethiopian, Europe European, Finland Finnish Finn, France French, "
    "Georgia Georgian, Germany German, Ghana Ghanaian, Greece Greek, Guatemala Guatemalan, Haiti Haitian, Honduras "
    "Honduran, Hungary Hungarian, Iceland Icelandic, India Indian, Indonesia Indonesian, Iran Iranian, Iraq Iraqi, "
    "Ireland Irish, Israel Israeli, Italy Italian, Jamaica Jamaican, Japan Japanese, Jordan Jordanian, Kazakhstan "
    "Kazakh, Kenya Kenyan, Kosovo Kosovar, Kuwait Kuwaiti, Latvia Latvian, Lebanon Lebanese, Libya Libyan, "
    "Lithuania Lithuanian, Malaysia Malaysian, Mali Malian, Mexico Mexican, Moldova Moldovan, Morocco Moroccan, "
    "Myanmar Burmese, Nepal Nepalese Nepali, Netherlands Dutch, Nicaragua Nicaraguan, Nigeria Nigerian, "
    "Norway Norwegian, Pakistan Pakistani, Palestine Palestinian, Panama Panamanian, Peru Peruvian, Philippines "
    "Philippine Filipino, Poland Polish, Portugal Portuguese, Qatar Qatari, Romania Romanian, Russia Russian, "
    "Rwanda Rwandan, Scotland Scottish Scots, Senegal Senegalese, Serbia Serbian Serb, Singapore Singaporean, "
    "Slovakia Slovak, Slovenia Slovenian, Somalia Somali, Spain Spanish, Sudan Sudanese, Sweden Swedish Swede, "
    "Switzerland Swiss, Syria Syrian, Taiwan Taiwanese, Tanzania Tanzanian, Thailand Thai, Tunisia Tunisian, Turkey "
    "Turkish Turk, Uganda Ugandan, Ukraine Ukrainian, Uruguay Uruguayan, Venezuela Venezuelan, Vietnam Vietnamese, "
    "Wales Welsh, Yemen Yemeni, Zambia Zambian, Zimbabwe Zimbabwean"
)


def same_nation(one: str, other: str) -> bool:
    """Whether two words in lower case are a country and what is its own: France and French."""
    nation = _WORDS.get(one)
    return nation is not None and nation == _WORDS.get(other)


def is_nation(word: str) -> bool:
    """Whether a word in lower case names a nation or what is its own."""
    return word in _WORDS


def is_a_nations(word: str) -> bool:
    """Whether a word in lower case says whose something is: "french", not "france"."""
    return word in _WORDS and _WORDS[word] != word


_WORDS = {word: group[0] for group in map(str.split, _NATIONS.lower().split(",")) for word in group}

"""Masks against values as people have and write them: nothing of what is hidden may show through."""

import pytest

from crm.finder import masked_text
from crm.masks import (
    MASKS,
    masked_address,
    masked_card,
    masked_document,
    masked_email,
    masked_name,
    masked_phone,
    masked_plate,
    masked_resident_id,
)

NAMES = {
    "张伟": "张*",
    "张小明": "张*",
    "明": "*",  # a name of one character is hidden whole
    "欧阳": "欧*",
    "欧阳修": "欧阳**",
    "欧阳娜娜": "欧阳**",
    "歐陽震華": "歐陽**",
    "司马相如": "司马**",
    "买买提·艾力": "买*·*",
    "买买提•艾力": "买*·*",
    "买买提．艾力": "买*·*",
    "𠮷田明": "𠮷*",
    "\U0002a6d6小雨": "\U0002a6d6*",
    "\u202e张伟\u202c": "张*",
    "张\u200b伟": "张*",
    "Ａｎｎａ Ｌｉ": "A*",
    "e\u0301ric": "é*",  # a letter and its accent are one
    "q\u0301uan": "q\u0301*",  # also where no single sign for both exists
    "क्षमा": None,
    "张" + "\u0301" * 500: None,
    "\u0301张伟": None,
    "👩\u200d🦰": "*",
    "X": "*",
    " ": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_shows_its_first_sign_and_nothing_of_its_length(name: str) -> None:
    shown = masked_name(name)
    if NAMES[name] is not None:
        assert shown == NAMES[name]
    assert len(shown) <= 7
    assert name.strip() not in shown or not name.strip()


PHONES = {
    "13800138000": "138****8000",
    "１３８００１３８０００": "138****8000",
    "\u200e138\u200d00138000": "138****8000",
    "+86 138 0013 8000": "+86138****8000",
    "+1 (415) 555-2671": "+141****2671",
    "+852 9123 4567": "+852****4567",
    "+65 8123 4567": "+65****4567",
    "+853 6612 3456": "+853****3456",
    "010-65001234": "010****1234",
    "010-65001234-8012": "010****1234",
    "010-65001234转8012": "010****1234",
    "0755-26001234 ext. 12": "0755****1234",
    "(021) 6288-4567": "021****4567",
    "٠١٢٣٤٥٦٧٨٩٠": None,
    "12345": "*****",
    "110": "***",
}


@pytest.mark.parametrize("phone", PHONES)
def test_a_phone_hides_four_digits_at_least(phone: str) -> None:
    shown = masked_phone(phone)
    if PHONES[phone] is not None:
        assert shown == PHONES[phone]
    assert "****" in shown or set(shown) == {"*"}


EMAILS = {
    "zhang@qq.com": "z***@q*.com",
    "a@qq.com": "***@q*.com",  # one letter is the whole mailbox
    "a@b.co": "***@*.co",
    "ａ＠ｑｑ．ｃｏｍ": "***@q*.com",
    "张伟@例子.中国": "张***@例*.中国",
    "zhang@mail.corp.example.com": "z***@m*.com",
    "zhang@localhost": "z***@l*",
    "@qq.com": "***@q*.com",
    "\u202ezhang@qq.com": "z***@q*.com",
}


@pytest.mark.parametrize("email", EMAILS)
def test_an_email_shows_no_whole_mailbox(email: str) -> None:
    assert masked_email(email) == EMAILS[email]


DOCUMENTS = {
    "E12345678": "E******78",
    "EA1234567": "E******67",
    "A123456(3)": "A*****63",  # Hong Kong
    "Z683365(A)": "Z*****5A",
    "1234567(8)": "1*****78",  # Macau
    "A123456789": "A*******89",  # Taiwan
    "C12345678": "C******78",
    "８１２３４５６７": "8*****67",
    "12345": "***",
    "E1234\u200b5678": "E******78",
    "军字第1234567号": "军********7号",
}


@pytest.mark.parametrize("number", DOCUMENTS)
def test_a_document_shows_its_first_and_last_two_signs(number: str) -> None:
    assert masked_document(number) == DOCUMENTS[number]


def test_numbers_of_residents_cards_and_plates_in_any_width() -> None:
    assert masked_resident_id("１１０１０５１９４９１２３１００２ｘ") == "110**************X"
    assert masked_resident_id("1101 0519 4912 3100 2X") == "110**************X"
    assert masked_resident_id("8100001988121206") == "***"
    assert masked_resident_id("A123456789") == "***"
    assert masked_card("６２２２０２１２３４５６７８９４") == "6222 **** **** 7894"
    assert masked_card("6222\u200d0212-3456-7894") == "6222 **** **** 7894"
    assert masked_plate("粤 B·D12345") == "粤B****5"
    assert masked_plate("粤Z1234港") == "粤Z****港"
    assert masked_plate("使01234") == "***"


ADDRESSES = {
    "上海市浦东新区世纪大道100号": "上海市浦东新区***",
    "北京市朝阳区": "北京市朝阳区***",
    "香港九龍彌敦道625號": "香港***",
    "台北市大安區忠孝東路四段216巷": "台北市***",
    "幸福小区6栋2单元302": "***",
    "张家村3组": "***",
    "221B Baker Street": "***",
    "\u202e上海市浦东新区世纪大道": "上海市浦东新区***",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_shows_nothing_below_the_district(address: str) -> None:
    assert masked_address(address) == ADDRESSES[address]


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("value", ["", " ", "a", "1", "张", "\u200b", "\u0301", "\U0002a6d6", "0" * 300, "é", "·", "@"])
def test_no_mask_fails_or_shows_a_whole_value(kind: str, value: str) -> None:
    shown = MASKS[kind](value)
    assert len(shown) <= 330
    assert shown != value or not value.strip() or (kind, value) == ("position", "1")  # whole degrees are coarse


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("我叫𠮷田明，电话+852 9123 4567", "我叫𠮷*，电话+852****4567"),
        ("联系人：买买提·艾力 １３８００１３８０００", "联系人：买*·* 138****8000"),
        ("请拨 010-65001234转8012", "请拨 010****1234"),
    ],
)
def test_free_text_is_masked_by_the_same_masks(text: str, shown: str) -> None:
    assert masked_text(text) == shown


@pytest.mark.parametrize(
    "position", ["31230416,121473701", "31°13'49.5\"N", "31,230416", "POINT(121.473701 31.230416)", "x"]
)
def test_a_position_that_cannot_be_made_coarse_is_hidden(position: str) -> None:
    assert MASKS["position"](position) == "***"

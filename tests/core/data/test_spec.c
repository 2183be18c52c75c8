/* tests/core/data/test_spec.c - KIND:PATH?key=value, and what is said about a wrong one. */
#include "support/t.h"
#include "data/data.h"

T_TEST(parts_are_found)
{
    lop_error err;
    lop_data_spec s;
    t_ok(lop_data_spec_parse("mnist:digits", &s, &err), err);
    assert_string_equal(s.kind, "mnist");
    assert_string_equal(s.path, "digits");
    assert_null(s.options.split);
    lop_data_spec_clear(&s);
    lop_data_spec_clear(&s);
    t_ok(lop_data_spec_parse("npz:C:/what?/a.npz?y=classes&x=pictures=2", &s, &err), err);
    assert_string_equal(s.path, "C:/what?/a.npz");
    assert_string_equal(s.options.x, "pictures=2");
    assert_string_equal(s.options.y, "classes");
    lop_data_spec_clear(&s);
    t_ok(lop_data_spec_parse("images:p?labels=l.txt&size=3x4&resize=5&crop=none", &s, &err), err);
    assert_string_equal(s.options.labels, "l.txt");
    assert_string_equal(s.options.size, "3x4");
    assert_string_equal(s.options.resize, "5");
    assert_string_equal(s.options.crop, "none");
    lop_data_spec_clear(&s);
}

T_TEST(what_is_wrong_is_named)
{
    static const struct { const char *text, *says; } cases[] = {
        {"digits", "data 'digits': KIND:PATH expected, KIND mnist, cifar10"}, {"", "KIND:PATH"},
        {"mnist:", "KIND:PATH"},
        {"mnist:?split=test", "KIND:PATH"}, {"mnst:digits", "unknown data kind 'mnst' (did you mean 'mnist'?)"},
        {"cifar:x", "unknown data kind 'cifar' (did you mean 'cifar10'?)"},
        {"folder:x", "unknown data kind 'folder': mnist, cifar10, images, npz expected"},
        {"mnist:d?splt=test", "data mnist: unknown key 'splt' (did you mean 'split'?)"},
        {"mnist:d?x=images", "data mnist: unknown key 'x': split expected"},
        {"npz:d?split=test", "unknown key 'split': x, y expected"},
        {"mnist:d?split=half", "split 'half': train or test expected"}, {"mnist:d?split", "key 'split' has no value"},
        {"mnist:d?split=", "key 'split' has no value"}, {"mnist:d?", "unknown key ''"},
        {"mnist:d?split=test&split=test", "key 'split' is given twice"}};
    lop_error err;
    lop_data_spec s;
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        t_fails(lop_data_spec_parse(cases[k].text, &s, &err), LOP_E_ARG, err, cases[k].says);
        assert_null(s.text);
    }
}

T_TEST(a_long_word_does_no_harm)
{
    char text[3000];
    lop_error err;
    lop_data_spec s;
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    text[1500] = ':';
    t_fails(lop_data_spec_parse(text, &s, &err), LOP_E_ARG, err, "unknown data kind");
    memcpy(text, "npz:", 4);
    text[1500] = '?';
    t_fails(lop_data_spec_parse(text, &s, &err), LOP_E_ARG, err, "unknown key");
}
T_MAIN(T(parts_are_found), T(what_is_wrong_is_named), T(a_long_word_does_no_harm))

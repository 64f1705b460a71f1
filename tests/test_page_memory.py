"""What the page remembers: the tab in the address, settings in the browser."""

import json

from browser import finished

from ui.components import memory

OLD = {"size": 8192, "adain-alpha": "strong", "color": ["off"], "compare-methods": ["none"], "gone": {}, "method": True}


class TestInABrowser:
    def test_the_tab_is_in_the_address_and_in_the_history(self, tab, url):
        chosen = "document.querySelector('#tab-{}-button').ariaSelected === 'true'"
        for name in ("compare", "controls"):
            tab.locator(f"#tab-{name}-button").click()
            tab.wait_for_function(f"location.hash === '#{name}'")
        tab.go_back()
        tab.wait_for_function(chosen.format("compare"))
        assert tab.url.endswith("#compare")
        tab.go_back()
        tab.wait_for_function(chosen.format("stylize"))
        tab.go_forward()
        tab.wait_for_function(chosen.format("compare"))
        tab.goto("about:blank")
        tab.goto(f"{url}#regions")
        tab.locator("#regions-run").wait_for()
        assert tab.url.endswith("#regions")

    def test_settings_come_back_and_old_ones_harm_nothing(self, tab):
        tab.get_by_label("256 px").click()
        tab.wait_for_function(f"JSON.parse(localStorage.getItem('{memory.KEY}') ?? '{{}}').size === 256")
        tab.reload()
        tab.wait_for_function("document.querySelector('#size input:checked')?.value === '256'")
        for stored in (json.dumps(OLD), "{{{", "[1]", "null"):
            tab.evaluate(f"localStorage.setItem('{memory.KEY}', {json.dumps(stored)})")
            with tab.expect_response(lambda response: "predict" in response.url) as restored:
                tab.reload()
            assert restored.value.ok
            tab.locator("#compare img").first.wait_for()
        assert tab.evaluate("document.querySelector('#size input:checked').value") in ("512", "8192")
        assert not tab.locator(".toast-body").count()

    def test_a_setting_that_comes_back_starts_no_run(self, tab):
        tab.locator("#colors > button").click()  # closed, it would be set only once it is opened
        tab.evaluate(f"localStorage.setItem('{memory.KEY}', JSON.stringify({{color: 'luminance', size: 256}}))")
        tab.add_init_script("""
          window.joined = 0;
          const send = window.fetch;
          window.fetch = (to, ...rest) => ((joined += `${to.url ?? to}`.includes("queue/join")), send(to, ...rest));
        """)
        tab.reload()
        tab.wait_for_function("document.querySelector('#size input:checked')?.value === '256'")
        tab.locator("#colors > button").click()
        tab.wait_for_function("document.querySelector('#color input')?.value.includes('light and dark')")
        tab.wait_for_timeout(1000)
        assert tab.evaluate("joined") == 0 and "Press Stylize" in tab.locator("#status").inner_text()

    def test_a_mask_that_is_cleared_by_the_keyboard_makes_the_result_old(self, tab):
        tab.locator("#mix > button").click()
        tab.locator("#style-part > button").click()
        tab.locator("#style-mask-clear").press("Enter")
        tab.locator("#old p").get_by_text("Made with other settings; press Stylize.").wait_for()

    def test_an_outdated_result_is_marked_until_it_is_made_again(self, tab):
        mark = tab.locator("#old p")
        said = mark.get_by_text("Made with other settings; press Stylize.")
        tab.get_by_label("256 px").click()
        said.wait_for()
        assert mark.get_attribute("role") == "status"
        tab.get_by_label("512 px").click()
        said.wait_for(state="hidden")  # as it was made
        tab.get_by_label("256 px").click()
        said.wait_for()
        tab.locator("#run").click()
        said.wait_for(state="hidden")
        finished(tab, "256x190 pixels")
        tab.wait_for_timeout(2500)  # a mark that came late would have come
        assert mark.text_content() == ""
        tab.locator("#photos button.thumbnail-item").nth(2).click()  # a new picture runs by itself
        tab.locator("#tab-compare-button").click()
        tab.locator("#compare-old").get_by_text("Made with other settings; press Compare.").wait_for()

/*
 * base/currency_codes.h
 *		The codes of ISO 4217, active and withdrawn, in alphabetical order.
 *
 * Taken from Debian's iso-codes package and the standard's lists one and
 * three.  Append-only: a withdrawn code stays, else a restore would fail on rows
 * that have it.  test/lint/currencies.sh checks both.
 */
#ifndef CRM_BASE_CURRENCY_CODES_H
#define CRM_BASE_CURRENCY_CODES_H

static const char *const currency_codes[] = {
	"ADF", "ADP", "AED", "AFA", "AFN", "ALK", "ALL", "AMD", "ANG", "AOA",
	"AOK", "AON", "AOR", "ARA", "ARL", "ARM", "ARP", "ARS", "ARY", "ATS",
	"AUD", "AWG", "AYM", "AZM", "AZN",
	"BAD", "BAM", "BBD", "BDT", "BEC", "BEF", "BEL", "BGJ", "BGK", "BGL",
	"BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BOP", "BOV", "BRB", "BRC",
	"BRE", "BRL", "BRN", "BRR", "BSD", "BTN", "BUK", "BWP", "BYB", "BYN",
	"BYR", "BZD",
	"CAD", "CDF", "CHC", "CHE", "CHF", "CHW", "CLF", "CLP", "CNX", "CNY",
	"COP", "COU", "CRC", "CSD", "CSJ", "CSK", "CUC", "CUP", "CVE", "CYP",
	"CZK",
	"DDM", "DEM", "DJF", "DKK", "DOP", "DZD",
	"ECS", "ECV", "EEK", "EGP", "ERN", "ESA", "ESB", "ESP", "ETB", "EUR",
	"FIM", "FJD", "FKP", "FRF",
	"GBP", "GEK", "GEL", "GHC", "GHP", "GHS", "GIP", "GMD", "GNE", "GNF",
	"GNS", "GQE", "GRD", "GTQ", "GWE", "GWP", "GYD",
	"HKD", "HNL", "HRD", "HRK", "HTG", "HUF",
	"IDR", "IEP", "ILP", "ILR", "ILS", "INR", "IQD", "IRR", "ISJ", "ISK",
	"ITL",
	"JMD", "JOD", "JPY",
	"KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT",
	"LAJ", "LAK", "LBP", "LKR", "LRD", "LSL", "LSM", "LTL", "LTT", "LUC",
	"LUF", "LUL", "LVL", "LVR", "LYD",
	"MAD", "MAF", "MDL", "MGA", "MGF", "MKD", "MLF", "MMK", "MNT", "MOP",
	"MRO", "MRU", "MTL", "MTP", "MUR", "MVQ", "MVR", "MWK", "MXN", "MXP",
	"MXV", "MYR", "MZE", "MZM", "MZN",
	"NAD", "NGN", "NIC", "NIO", "NLG", "NOK", "NPR", "NZD",
	"OMR",
	"PAB", "PEH", "PEI", "PEN", "PES", "PGK", "PHP", "PKR", "PLN", "PLZ",
	"PTE", "PYG",
	"QAR",
	"RHD", "ROK", "ROL", "RON", "RSD", "RUB", "RUR", "RWF",
	"SAR", "SBD", "SCR", "SDD", "SDG", "SDP", "SEK", "SGD", "SHP", "SIT",
	"SKK", "SLE", "SLL", "SOS", "SRD", "SRG", "SSP", "STD", "STN", "SUR",
	"SVC", "SYP", "SZL",
	"THB", "TJR", "TJS", "TLE", "TMM", "TMT", "TND", "TOP", "TPE", "TRL",
	"TRY", "TTD", "TWD", "TZS",
	"UAH", "UAK", "UGS", "UGW", "UGX", "USD", "USN", "USS", "UYI", "UYN",
	"UYP", "UYU", "UYW", "UZS",
	"VEB", "VED", "VEF", "VES", "VNC", "VND", "VUV",
	"WST",
	"XAD", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XCD", "XCG",
	"XDR", "XEU", "XFO", "XFU", "XOF", "XPD", "XPF", "XPT", "XRE", "XSU",
	"XTS", "XUA", "XXX",
	"YDD", "YER", "YUD", "YUM", "YUN",
	"ZAL", "ZAR", "ZMK", "ZMW", "ZRN", "ZRZ", "ZWC", "ZWD", "ZWG", "ZWL",
	"ZWN", "ZWR"
};

#endif							/* CRM_BASE_CURRENCY_CODES_H */

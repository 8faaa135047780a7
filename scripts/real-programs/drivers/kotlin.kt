// Drives Kotlin's standard library: collections, regular expressions, coroutines, numbers to text and back, exceptions.
import kotlin.io.encoding.Base64
import kotlin.io.encoding.ExperimentalEncodingApi
import kotlin.random.Random
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

sealed interface Expr
data class Num(val value: Long) : Expr
data class Op(val sign: Char, val left: Expr, val right: Expr) : Expr

class ParseError(message: String) : Exception(message)

/** A recursive-descent parser: allocates a tree, and throws from deep inside it. */
class Parser(private val text: String) {
    private var at = 0

    private fun peek() = text.getOrNull(at)

    fun all(): Expr = sum().also { if (at < text.length) throw ParseError("unexpected `${text[at]}` at $at") }

    private fun sum(): Expr = chain("+-") { product() }

    private fun product(): Expr = chain("*/") { atom() }

    private fun chain(signs: String, next: () -> Expr): Expr {
        var left = next()
        while (peek()?.let { it in signs } == true) left = Op(text[at++], left, next())
        return left
    }

    private fun atom(): Expr = when (val c = peek()) {
        '(' -> {
            at++
            val inner = sum()
            if (peek() != ')') throw ParseError("expected `)` at $at")
            at++
            inner
        }
        in '0'..'9' -> Num(text.drop(at).takeWhile { it.isDigit() }.also { at += it.length }.toLong())
        else -> throw ParseError("expected a number at $at, found ${c ?: "the end"}")
    }
}

fun eval(e: Expr): Long = when (e) {
    is Num -> e.value
    is Op -> {
        val l = eval(e.left)
        val r = eval(e.right)
        when (e.sign) {
            '+' -> l + r
            '-' -> l - r
            '*' -> l * r
            else -> if (r == 0L) throw ArithmeticException("division of $l by zero") else l / r
        }
    }
}

fun calculator() {
    val deep = "(".repeat(500) + "7" + ")".repeat(500)
    for (text in listOf("1+2*3", "(8-3)*(2+4)/5", "2*(3", "1/(2-2)", "4x", deep, deep.dropLast(1))) {
        val shown = if (text.length > 20) "${text.take(5)}…" else text
        try {
            println("$shown = ${eval(Parser(text).all())}")
        } catch (e: ParseError) {
            println("$shown: ${e.message}")
        } catch (e: ArithmeticException) {
            println("$shown: arithmetic, ${e.message}")
        }
    }
    var finals = 0
    var caught = 0
    for (i in 0 until 20000) {
        try {
            try {
                Parser("(".repeat(i % 7) + "x").all()
            } finally {
                finals++
            }
        } catch (e: ParseError) {
            caught += e.message!!.length
        }
    }
    println("$finals finally blocks, $caught characters of messages")
}

/** Sequences are coroutines. */
val primes = sequence {
    val found = mutableListOf<Int>()
    var n = 2
    while (true) {
        if (found.takeWhile { it * it <= n }.none { n % it == 0 }) {
            found += n
            yield(n)
        }
        n++
    }
}

fun collections() {
    val words = Random(42).let { random -> List(50_000) { random.nextInt(5000).toString(36) } }
    val counts = words.groupingBy { it }.eachCount()
    println(counts.entries.sortedWith(compareByDescending<Map.Entry<String, Int>> { it.value }.thenBy { it.key }).take(5))
    println(words.groupBy { it.length }.mapValues { (_, list) -> list.toSet().size }.toList().sortedBy { it.first })
    println(words.asSequence().filter { 'z' in it }.map { it.reversed() }.distinct().sorted().take(6).joinToString())
    val queue = ArrayDeque<List<Int>>()
    var turned = 0L
    for (i in 0 until 200_000) {
        queue.addLast(listOf(i, i * 2))
        if (queue.size > 1000) turned += queue.removeFirst().last()
    }
    println("queue: ${queue.size} in it, $turned passed through")
    println(primes.drop(1000).first { it % 100 == 1 })
    println((1..20).windowed(5, 5).map { it.sum() } to buildList { for (i in 1..3) addAll(List(i) { i }) })
}

@OptIn(ExperimentalEncodingApi::class, ExperimentalUnsignedTypes::class, ExperimentalStdlibApi::class)
fun text() {
    val date = Regex("""(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)""")
    println(date.replace("from 2026-11-21 to 2027-01-02") { "${it.groups[3]!!.value}/${it.groups[2]!!.value}" })
    println(Regex("[aeiou]+", RegexOption.IGNORE_CASE).split("Audacious Europeans queueing").filter { it.isNotBlank() })
    println("Grüße, Ωmega, 漢字, 🐦".let { "${it.uppercase()} ${it.length} ${it.encodeToByteArray().size} ${it.hashCode()}" })
    println(Base64.encode("dunlin on the mudflat".encodeToByteArray()).let { "$it ${Base64.decode(it).decodeToString()}" })
    println(byteArrayOf(0, 127, -128, -1).toHexString() + " " + 0xCAFEu.toString(2))
    println(listOf(0.1 + 0.2, 1e21, 1.0 / 3, Double.MIN_VALUE, -0.0, 1e-7, Double.NaN, 100.0).joinToString())
    println(listOf("3.14159", "1e400", "-0x1p3", "abc", "١٢").map { it.toDoubleOrNull() })
    println(90.minutes + 30.5.seconds)
    println("  indented\n    text".trimIndent().lines().map { it.length })
    println(runCatching { "12a".toInt() }.exceptionOrNull()?.message + "; " + runCatching { listOf(1)[3] }.isFailure)
    println((1..5).fold(1UL) { a, i -> a * 0x9E3779B97F4A7C15u + i.toULong() }.toString(16))
}

fun main() {
    calculator()
    collections()
    text()
}
